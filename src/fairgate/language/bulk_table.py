"""What may be wrong with a pack's `[bulk]`."""

from collections.abc import Iterator, Mapping

from fairgate.domain.pack import EventType
from fairgate.language.pack_tables import BulkTable
from fairgate.language.problems import one_of


def bulk_faults(table: BulkTable, event_types: Mapping[str, EventType]) -> Iterator[tuple[str, str]]:
    """Each member at fault, and what is wrong with it."""
    for member, name in (("paid", table.paid), ("begins", table.begins)):
        if name and name not in event_types:
            yield member, f"there is no event type `{name}` ({one_of(name, event_types)})"
        elif name and event_types[name].attribute("account") is None:
            yield member, f"events of the type `{name}` have no attribute `account`"
    paid = event_types.get(table.paid)
    if paid is None:
        if table.amount or table.paid_if:
            yield "amount" if table.amount else "paid_if", "without `paid` there is no event that has it"
        return
    amount = paid.attribute(table.amount)
    if amount is None or amount.type not in ("number", "integer"):
        yield "amount", f"name an attribute of `{table.paid}` that is a number"
    for name in table.paid_if:
        attribute = paid.attribute(name)
        if attribute is None or attribute.personal or attribute.type != "text":
            yield "paid_if", f"`{name}` is no attribute of `{table.paid}` that is a text and not personal"
