"""The verbs of the language: what each step becomes. One table, which the compiler is given."""

from __future__ import annotations

from collections.abc import Mapping

from engine.plan.compiler import VerbCompiler
from engine.plan.verbs.call import compile_call
from engine.plan.verbs.derive import compile_let, compile_record
from engine.plan.verbs.group import compile_group, compile_if, compile_parallel
from engine.plan.verbs.later import compile_acquire, compile_prompt
from engine.plan.verbs.measure import compile_check, compile_compute, compile_measure
from engine.plan.verbs.meet import compile_barrier, compile_release
from engine.plan.verbs.repeat import compile_repeat
from engine.plan.verbs.set import compile_set
from engine.plan.verbs.sweep import compile_sweep
from engine.plan.verbs.talk import compile_attach, compile_command, compile_log, compile_python, compile_query
from engine.plan.verbs.wait import compile_wait
from schemas.steps import VERBS as MODELS
from schemas.steps import StepBase

_BY_VERB: Mapping[str, VerbCompiler] = {
    "set": compile_set,
    "measure": compile_measure,
    "compute": compile_compute,
    "check": compile_check,
    "let": compile_let,
    "record": compile_record,
    "wait": compile_wait,
    "command": compile_command,
    "query": compile_query,
    "group": compile_group,
    "sweep": compile_sweep,
    "repeat": compile_repeat,
    "if": compile_if,
    "parallel": compile_parallel,
    "call": compile_call,
    "log": compile_log,
    "python": compile_python,
    "attach": compile_attach,
    "barrier": compile_barrier,
    "release": compile_release,
    "prompt": compile_prompt,
    "acquire": compile_acquire,
}
VERBS: Mapping[type[StepBase], VerbCompiler] = {MODELS[verb]: compiler for verb, compiler in _BY_VERB.items()}
"""The model of a step → what compiles it."""
