"""The parts of schedules and their lowering under their standard public names."""

from __future__ import annotations

from gpucomp.te.auto_inline import auto_inline_broadcast as AutoInlineBroadcast
from gpucomp.te.auto_inline import auto_inline_elemwise as AutoInlineElemWise
from gpucomp.te.auto_inline import auto_inline_injective as AutoInlineInjective
from gpucomp.te.binds import verify_compact_buffer as VerifyCompactBuffer
from gpucomp.te.bound import Bounds
from gpucomp.te.bound import infer_bound as InferBound
from gpucomp.te.graph import create_attach_path as CreateAttachPath
from gpucomp.te.graph import create_read_graph as CreateReadGraph
from gpucomp.te.graph import feed_graph as CreateFeedGraph
from gpucomp.te.graph import post_dfs_order as PostDFSOrder
from gpucomp.te.group import Group
from gpucomp.te.postproc import to_prim_func as SchedulePostProcToPrimFunc
from gpucomp.te.relation import Fuse, IterVarRelation, Rebase, Singleton, Split
from gpucomp.te.scan_analysis import scan_fix_point as ScanFixPointAnalysis
from gpucomp.te.scan_analysis import scan_get_body as ScanGetBody
from gpucomp.te.schedule_ops import schedule_ops as ScheduleOps
from gpucomp.te.specialized import SpecializedCondition
from gpucomp.te.stage import Stage
from gpucomp.te.stage_state import AttachType
from gpucomp.te.state import Schedule, create_schedule
from gpucomp.te.trace import Step, Trace, replay

__all__ = [
    "AttachType",
    "AutoInlineBroadcast",
    "AutoInlineElemWise",
    "AutoInlineInjective",
    "Bounds",
    "CreateAttachPath",
    "CreateFeedGraph",
    "CreateReadGraph",
    "Fuse",
    "Group",
    "InferBound",
    "IterVarRelation",
    "PostDFSOrder",
    "Rebase",
    "ScanFixPointAnalysis",
    "ScanGetBody",
    "Schedule",
    "SchedulePostProcToPrimFunc",
    "ScheduleOps",
    "Singleton",
    "SpecializedCondition",
    "Split",
    "Stage",
    "Step",
    "Trace",
    "VerifyCompactBuffer",
    "create_schedule",
    "replay",
]
