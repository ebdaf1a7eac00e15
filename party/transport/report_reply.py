"""Converts a session's report, and its result, to replies for the coordinator."""

from __future__ import annotations

from dataclasses import asdict

from party.metrics.pass_metrics import PassMetrics
from party.pb import party_pb2 as pb
from party.policy.quality_rules import ReleasedQuality
from party.runtime.plan import SessionResult
from party.runtime.session_report import ReleasedFigures, SessionReport

_WARNING = "DATA_WARNING_"


def report_reply(report: SessionReport) -> pb.ReportReply:
    """Makes the reply message of a report.

    Args:
        report: the session's report, with the metrics that the owner releases.
    """
    timings = [
        pb.Timing(activity=activity, seconds=seconds, count=count)
        for activity, (seconds, count) in report.timings.items()
    ]
    codecs = [
        pb.CodecCost(
            codec=cost.codec.model_dump_json(),
            bytes=cost.message_bytes,
            encode_seconds=cost.encode_seconds,
            decode_seconds=cost.decode_seconds,
        )
        for cost in report.codec_costs
    ]
    reply = pb.ReportReply(timings=timings, codecs=codecs)
    if report.figures is not None:
        _add_figures(reply, report.figures)
    return reply


def finish_reply(result: SessionResult) -> pb.FinishReply:
    """Makes the reply message of the end of a session.

    Args:
        result: the results that were written.
    """
    return pb.FinishReply(
        lineage=result.lineage,
        files=result.files,
        rows=result.rows,
        joins=[pb.JoinCounts(**asdict(one)) for one in result.joins],
        quality=[quality_message(one) for one in result.quality],
    )


def quality_message(quality: ReleasedQuality) -> pb.DataQuality:
    """Makes the message with what is released of the quality of a dataset."""
    warnings = [
        pb.WarnedFeatures(warning=f"{_WARNING}{kind.name}", features=features)
        for kind, features in quality.warnings.items()
    ]
    return pb.DataQuality(
        dataset=quality.dataset,
        warnings=warnings,
        missing_percent=quality.missing_percent,
        unknown_percent=quality.unknown_percent,
    )


def metrics_message(metrics: PassMetrics, negatives_per_positive: int) -> pb.Metrics:
    """Makes the message with the released metrics of a pass.

    Args:
        metrics: metrics of the pass.
        negatives_per_positive: number of negatives that were sampled for each positive row; 0 if none were.
    """
    released = metrics.released.items()
    return pb.Metrics(
        rows=metrics.rows,
        values=[pb.NamedValue(name=name, value=value) for name, value in released if value is not None],
        # What figures are over is released with figures alone, or with their names.
        negatives_per_positive=negatives_per_positive if released else 0,
        withheld=[name for name, value in released if value is None],
    )


def _add_figures(reply: pb.ReportReply, figures: ReleasedFigures) -> None:
    negatives = figures.negatives
    reply.running_metrics = figures.allows_running
    if figures.evaluation is not None:
        reply.evaluation.CopyFrom(metrics_message(figures.evaluation, negatives.dataset))
    if figures.running is not None:
        reply.running.CopyFrom(metrics_message(figures.running, negatives.dataset))
    reply.steps.extend(pb.StepReport(step=one.step, rows=one.rows, loss=one.loss) for one in figures.steps)
    for epoch in figures.epochs:
        message = reply.epochs.add(epoch=epoch.epoch)
        if epoch.train is not None:
            message.train.CopyFrom(metrics_message(epoch.train, negatives.dataset))
        if epoch.validation is not None:
            message.validation.CopyFrom(metrics_message(epoch.validation, negatives.held_out))
    if figures.best_epoch is not None:
        reply.best_epoch = figures.best_epoch
