// A dialog with a name, which Esc closes. Its heading is its own: the library's would be a second banner of the page.

import { Modal } from "@mantine/core";
import type { ReactNode } from "react";

type Props = { open: boolean; close: () => void; title: string; children: ReactNode };

export function Dialog({ open, close, title, children }: Props) {
  return (
    <Modal opened={open} onClose={close} size="md" withCloseButton={false} transitionProps={{ duration: 0 }} attributes={{ content: { "aria-label": title } }}>
      <h1 style={{ marginBottom: 12 }}>{title}</h1>
      {children}
    </Modal>
  );
}
