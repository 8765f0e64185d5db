"""`group`, `if` and `parallel`: steps that hold others once."""

from __future__ import annotations

from dataclasses import replace

from engine.expr import Kind
from engine.plan.compiler import SequenceCompiler
from engine.plan.drafts import At, Draft, Ids
from engine.plan.model import GroupAction, IfAction, ParallelAction, Steps
from engine.plan.names import Scope
from engine.plan.order import check_unordered
from engine.plan.values import described
from schemas.steps import GroupStep, IfStep, ParallelStep


def compile_group(c: SequenceCompiler, step: GroupStep, at: At) -> list[Draft]:
    hold = {}
    for key, names in (("hold", step.hold), ("uses", step.uses)):
        for index, name in enumerate(names):
            claim = c.resource(name, at.place(key, index))
            if claim is not None:
                hold[claim.resource] = claim
    around = at.scope.held
    at.scope.held = around | hold.keys()
    inherited = at.inherited.with_(step.defaults, at.place("defaults"))
    block = c.block(step.setup, step.steps, step.cleanup, step.monitors, at.path, at.scope, at.node_id, inherited)
    at.scope.held = around
    return [Draft(GroupAction(replace(block, hold=tuple(hold[name] for name in sorted(hold)))))]


def compile_if(c: SequenceCompiler, step: IfStep, at: At) -> list[Draft]:
    scope = at.scope
    condition = c.values.condition(step.if_, at.place("if"), scope)
    arms: list[Scope] = []
    lists: list[Steps] = []
    for number, (key, steps) in enumerate((("then", step.then), ("else", step.else_))):
        arm = scope.copy()
        arm.sure = False
        arm.arms = (*scope.arms, (at.node_id, number))
        if arms:
            made = {name: entry for name, entry in arms[0].entries.items() if scope.entries.get(name) is not entry}
            arm.reuse = {**scope.reuse, **made}
        lists.append(c.steps(steps, at.place(key), arm, Ids(f"{at.node_id}/{key}"), at.inherited))
        arms.append(arm)
    for first, other in scope.merge_arms(arms):
        if Kind.ANY in (first.type.kind, other.type.kind):
            continue
        c.problems.error(
            "N016",
            f"`{first.name}` is {described(other.type)} here and {described(first.type)} in the other way",
            other.span or c.file.key(at.place("if")),
            help="give it the same `unit` in both, or two names",
            notes=((first.span, "the other way"),) if first.span is not None else (),
        )
    if condition is None:
        return []
    return [Draft(IfAction(condition, lists[0], lists[1]))]


def compile_parallel(c: SequenceCompiler, step: ParallelStep, at: At) -> list[Draft]:
    branches: list[Steps] = []
    scopes: list[Scope] = []
    for number, steps in enumerate(step.parallel):
        branch = at.scope.copy()
        ids = Ids(f"{at.node_id}/{number + 1}")
        branches.append(c.steps(steps, at.place("parallel", number), branch, ids, at.inherited))
        scopes.append(branch)
    for branch in scopes:
        at.scope.adopt(branch)
    groups = [(n, branch.nodes, at.place("parallel", n)) for n, branch in enumerate(branches)]
    check_unordered(groups, {}, c.file, c.problems)
    return [Draft(ParallelAction(tuple(branches)))]
