"""Backtest: what another pack would have done with the same history."""

from fairgate.pipeline.backtest.compare import backtest
from fairgate.pipeline.backtest.prepare import Material
from fairgate.pipeline.backtest.report import Report

__all__ = ["Material", "Report", "backtest"]
