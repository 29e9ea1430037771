//! The primitives that the engine carries out.

use crate::primitive::{ControlOp, Primitive, control};

pub(super) const TABLE: &[Primitive] = &[
    control("apply", 2, None, ControlOp::Apply),
    control("%call/cc", 1, Some(1), ControlOp::CallCc),
    control("values", 0, None, ControlOp::Values),
    control("call-with-values", 2, Some(2), ControlOp::CallWithValues),
    control("%dyn", 0, Some(0), ControlOp::Dyn),
    control("%with-dyn", 2, Some(2), ControlOp::WithDyn),
    control("%winders", 0, Some(0), ControlOp::Winders),
    control("%set-winders!", 1, Some(1), ControlOp::SetWinders),
    control(
        "%activation-winders",
        0,
        Some(0),
        ControlOp::ActivationWinders,
    ),
    control("%throw", 2, Some(2), ControlOp::Throw),
    control("%kont-winders", 1, Some(1), ControlOp::KontWinders),
    control("%kont-dyn", 1, Some(1), ControlOp::KontDyn),
    control("%uncaught", 1, Some(1), ControlOp::Uncaught),
    control("%current-trace", 0, Some(0), ControlOp::Trace),
    control("%install-hook!", 2, Some(2), ControlOp::InstallHook),
    control("%run-finalizers", 0, Some(0), ControlOp::RunFinalizers),
];
