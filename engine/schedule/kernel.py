"""The inner loop of the improvement search, on plain numbers: orders of slots on machines, and tabu moves between them.

A *slot* is one piece of a resource that a task takes; for a span it is entered by one task and left by another. A machine is
one piece of capacity with the slots it serves in order. A pool of n is n machines, and a slot may move between them.
Heads (when a task ends) and tails (how long it goes on from the start of a task to the end of everything) follow from the
orders by the longest path; after a move only what stands behind it in topological order is worked out again.

Everything here is written with whole numbers, indexing and loops only, so that the same source runs as it is, on lists, and
compiled by numba, on arrays (`kernel_numba`): both give the same numbers. It is one file because it is compiled as one.
Moves are those of N7 (Zhang et al. 2007, "A tabu search algorithm with a new neighborhood structure for the job shop
scheduling problem"), swaps at the borders of blocks, and changes of machine; estimates follow Balas and Vazacopoulos (1998).
"""

from __future__ import annotations

from engine.schedule.arrays import Graph, Numbers, Orders, Scratch, Times

ITERATION, BEST, CURRENT, RANDOM, SINCE = 0, 1, 2, 3, 4
"""Places in `state`: iterations done, best and present length, random state, iteration of the last improvement."""
NONE, SWAP, CHANGE, AFTER, BEFORE = 0, 1, 2, 3, 4
"""Kinds of a move: swap neighbours, change machine, put the first behind the second, put the second before the first."""
FAR = 1 << 60


def draw(state: Numbers) -> int:
    """The next random number."""
    state[RANDOM] = (state[RANDOM] * 1103515245 + 12345) & 0x7FFFFFFF
    return state[RANDOM] >> 8


# --- heads, tails and their order


def evaluate(g: Graph, o: Orders, t: Times, missing: Numbers) -> int:
    """All heads and tails from nothing; gives the length, or -1 where the orders contradict each other.

    `missing` is zero before and after.
    """
    n = g.size[0]
    preds_at, succs_at, succs = g.preds_at, g.succs_at, g.succs
    enters_at, leaves_at, leaves, first = g.enters_at, g.leaves_at, g.leaves, g.first
    before, after, topo, place = o.before, o.after, t.topo, t.place
    found = 0
    for i in range(n):
        d = preds_at[i + 1] - preds_at[i]
        for s in range(enters_at[i], enters_at[i + 1]):
            if before[s] >= 0:
                d += 1
        missing[i] = d
        if d == 0:
            topo[found] = i
            found += 1
    h = 0
    while h < found:
        i = topo[h]
        place[i] = h
        h += 1
        for k in range(succs_at[i], succs_at[i + 1]):
            b = succs[k]
            missing[b] -= 1
            if missing[b] == 0:
                topo[found] = b
                found += 1
        for k in range(leaves_at[i], leaves_at[i + 1]):
            s = after[leaves[k]]
            if s >= 0:
                b = first[s]
                missing[b] -= 1
                if missing[b] == 0:
                    topo[found] = b
                    found += 1
    if found < n:
        for i in range(n):
            missing[i] = 0
        return -1
    return propagate(g, o, t, 0, n - 1)


def propagate(g: Graph, o: Orders, t: Times, low: int, high: int) -> int:
    """Heads from place `low` of the topological order on, tails from place `high` back; gives the length."""
    n = g.size[0]
    p, release, preds_at, preds, succs_at, succs = g.p, g.release, g.preds_at, g.preds, g.succs_at, g.succs
    enters_at, leaves_at, leaves, first, last, sinks = g.enters_at, g.leaves_at, g.leaves, g.first, g.last, g.sinks
    before, after, end, tail, topo = o.before, o.after, t.end, t.tail, t.topo
    for x in range(low, n):
        i = topo[x]
        v = release[i]
        k = preds_at[i]
        z = preds_at[i + 1]
        while k < z:
            w = end[preds[k]]
            if w > v:
                v = w
            k += 1
        k = enters_at[i]
        z = enters_at[i + 1]
        while k < z:
            s = before[k]
            if s >= 0:
                w = end[last[s]]
                if w > v:
                    v = w
            k += 1
        end[i] = v + p[i]
    for x in range(high, -1, -1):
        i = topo[x]
        v = 0
        k = succs_at[i]
        z = succs_at[i + 1]
        while k < z:
            w = tail[succs[k]]
            if w > v:
                v = w
            k += 1
        k = leaves_at[i]
        z = leaves_at[i + 1]
        while k < z:
            s = after[leaves[k]]
            if s >= 0:
                w = tail[first[s]]
                if w > v:
                    v = w
            k += 1
        tail[i] = v + p[i]
    length = 0
    for k in range(len(sinks)):
        w = end[sinks[k]]
        if w > length:
            length = w
    return length


def reorder(g: Graph, o: Orders, t: Times, x: int, y: int, mark: Numbers, kept: Numbers) -> bool:
    """Mend the topological order now that task `y` comes before `x`; False where that cannot be, with nothing changed."""
    preds_at, preds, enters_at, last = g.preds_at, g.preds, g.enters_at, g.last
    before, topo, place = o.before, t.topo, t.place
    low = place[x]
    high = place[y]
    if low > high:
        return True
    mark[x] = 1
    for k in range(low + 1, high + 1):
        i = topo[k]
        found = 0
        a = preds_at[i]
        z = preds_at[i + 1]
        while a < z:
            if mark[preds[a]] == 1:
                found = 1
                break
            a += 1
        if found == 0:
            a = enters_at[i]
            z = enters_at[i + 1]
            while a < z:
                s = before[a]
                if s >= 0 and mark[last[s]] == 1:
                    found = 1
                    break
                a += 1
        mark[i] = found
    if mark[y] == 1 or x == y:
        for k in range(low, high + 1):
            mark[topo[k]] = 0
        return False
    to = low
    moved = 0
    for k in range(low, high + 1):
        i = topo[k]
        if mark[i] == 1:
            kept[moved] = i
            moved += 1
            mark[i] = 0
        else:
            topo[to] = i
            place[i] = to
            to += 1
    for k in range(moved):
        i = kept[k]
        topo[to] = i
        place[i] = to
        to += 1
    return True


def critical_path(g: Graph, o: Orders, t: Times, w: Scratch, length: int) -> int:
    """The size of one longest path, drawn at random; `via[k]`: the slot that leads from its k-th task to the next, or -1."""
    p, preds_at, preds, enters_at, last, sinks = g.p, g.preds_at, g.preds, g.enters_at, g.last, g.sinks
    before, end, path, via, state = o.before, t.end, w.path, w.via, w.state
    count = 0
    x = -1
    for k in range(len(sinks)):
        if end[sinks[k]] == length:
            count += 1
            if count == 1 or draw(state) % count == 0:
                x = sinks[k]
    size = 0
    slot = -1
    while x >= 0:
        path[size] = x
        via[size] = slot
        size += 1
        start = end[x] - p[x]
        previous = -1
        slot = -1
        count = 0
        for k in range(preds_at[x], preds_at[x + 1]):
            if end[preds[k]] == start:
                count += 1
                if count == 1 or draw(state) % count == 0:
                    previous = preds[k]
        tied = previous
        for k in range(enters_at[x], enters_at[x + 1]):
            s = before[k]
            if s >= 0 and end[last[s]] == start and last[s] != tied:
                count += 1
                if count == 1 or draw(state) % count == 0:
                    previous = last[s]
                    slot = s
        x = previous
    i = 0
    j = size - 1
    while i < j:
        x = path[i]
        path[i] = path[j]
        path[j] = x
        x = via[i]
        via[i] = via[j]
        via[j] = x
        i += 1
        j -= 1
    return size


# --- changes of order


def unlink(o: Orders, s: int) -> None:
    """Take a slot out of its machine."""
    a = o.before[s]
    b = o.after[s]
    if a >= 0:
        o.after[a] = b
    else:
        o.head[o.on[s]] = b
    if b >= 0:
        o.before[b] = a


def link(o: Orders, s: int, machine: int, a: int) -> None:
    """Put a slot on a machine behind `a`, or at the front where that is -1."""
    if a >= 0:
        b = o.after[a]
        o.after[a] = s
    else:
        b = o.head[machine]
        o.head[machine] = s
    o.on[s] = machine
    o.before[s] = a
    o.after[s] = b
    if b >= 0:
        o.before[b] = s


def swap_pair(g: Graph, o: Orders, s: int, t: int) -> None:
    """Swap slot `s` with `t` behind it, on every machine where the same two holders meet."""
    u, ux = g.first[s], g.last[s]
    v, vx = g.first[t], g.last[t]
    for k in range(g.enters_at[u], g.enters_at[u + 1]):
        b = o.after[k]
        if g.last[k] == ux and b >= 0 and g.first[b] == v and g.last[b] == vx:
            unlink(o, k)
            link(o, k, o.on[k], b)


def estimate_swap(g: Graph, o: Orders, t: Times, s: int) -> int:
    """About how long the schedule gets when a slot and the one behind it change places, wherever the same two meet."""
    first, last, enters_at, leaves_at, leaves = g.first, g.last, g.enters_at, g.leaves_at, g.leaves
    before, after, end, tail = o.before, o.after, t.end, t.tail
    other = after[s]
    u, ux = first[s], last[s]
    v, vx = first[other], last[other]
    start_v = g.release[v]
    for k in range(g.preds_at[v], g.preds_at[v + 1]):
        start_v = max(start_v, end[g.preds[k]])
    for k in range(enters_at[v], enters_at[v + 1]):
        a = before[k]
        if a >= 0 and first[a] == u and last[a] == ux:
            a = before[a]
        if a >= 0:
            start_v = max(start_v, end[last[a]])
    start_u = g.release[u]
    for k in range(g.preds_at[u], g.preds_at[u + 1]):
        start_u = max(start_u, end[g.preds[k]])
    for k in range(enters_at[u], enters_at[u + 1]):
        a = before[k]
        if a >= 0:
            start_u = max(start_u, end[last[a]])
    length_v = end[vx] - end[v] + g.p[v]
    length_u = end[ux] - end[u] + g.p[u]
    start_u = max(start_u, start_v + length_v)
    tail_u = 0
    for k in range(g.succs_at[ux], g.succs_at[ux + 1]):
        tail_u = max(tail_u, tail[g.succs[k]])
    for k in range(leaves_at[ux], leaves_at[ux + 1]):
        b = after[leaves[k]]
        if b >= 0 and first[b] == v and last[b] == vx:
            b = after[b]
        if b >= 0:
            tail_u = max(tail_u, tail[first[b]])
    tail_v = 0
    for k in range(g.succs_at[vx], g.succs_at[vx + 1]):
        tail_v = max(tail_v, tail[g.succs[k]])
    for k in range(leaves_at[vx], leaves_at[vx + 1]):
        b = after[leaves[k]]
        if b >= 0:
            tail_v = max(tail_v, tail[first[b]])
    tail_v = max(tail_v, tail_u + length_u)
    return max(start_v + length_v + tail_v, start_u + length_u + tail_u)


def start_apart(g: Graph, o: Orders, t: Times, i: int, machine: int) -> int:
    """When a task could start, apart from what goes before it on this machine."""
    end = t.end
    v = g.release[i]
    for k in range(g.preds_at[i], g.preds_at[i + 1]):
        w = end[g.preds[k]]
        if w > v:
            v = w
    for k in range(g.enters_at[i], g.enters_at[i + 1]):
        if o.on[k] != machine and o.before[k] >= 0:
            w = end[g.last[o.before[k]]]
            if w > v:
                v = w
    return v


def tail_apart(g: Graph, o: Orders, t: Times, i: int, machine: int) -> int:
    """How long it goes on after a task, apart from what follows it on this machine."""
    tail = t.tail
    v = 0
    for k in range(g.succs_at[i], g.succs_at[i + 1]):
        w = tail[g.succs[k]]
        if w > v:
            v = w
    for k in range(g.leaves_at[i], g.leaves_at[i + 1]):
        s = g.leaves[k]
        if o.on[s] != machine and o.after[s] >= 0:
            w = tail[g.first[o.after[s]]]
            if w > v:
                v = w
    return v


def estimate_move(g: Graph, o: Orders, t: Times, w: Scratch, a: int, b: int, kind: int) -> int:
    """About how long the schedule gets when slot `a` goes right behind `b`, or `b` right before `a`.

    `ahead` and `behind` of the tasks between them must be known.
    """
    p, first, after, ahead, behind, tasks, starts = g.p, g.first, o.after, w.ahead, w.behind, w.tasks, w.starts
    k = 0
    if kind == AFTER:
        x = after[a]
        while x != b:
            tasks[k] = first[x]
            k += 1
            x = after[x]
        tasks[k] = first[b]
        tasks[k + 1] = first[a]
        k += 2
    else:
        tasks[0] = first[b]
        k = 1
        x = a
        while x != b:
            tasks[k] = first[x]
            k += 1
            x = after[x]
    e = -FAR
    if o.before[a] >= 0:
        e = t.end[g.last[o.before[a]]]
    for x in range(k):
        i = tasks[x]
        z = ahead[i]
        if e > z:
            z = e
        starts[x] = z
        e = z + p[i]
    e = 0
    if after[b] >= 0:
        e = t.tail[first[after[b]]]
    worst = 0
    for x in range(k - 1, -1, -1):
        i = tasks[x]
        z = behind[i]
        if e > z:
            z = e
        e = z + p[i]
        if starts[x] + e > worst:
            worst = starts[x] + e
    return worst


def forbidden(g: Graph, o: Orders, w: Scratch, a: int, b: int, kind: int) -> bool:
    """Whether a move would restore an order that was given up lately."""
    n, mask, now = g.size[0], len(w.tabu) - 1, w.state[ITERATION]
    first, after, tabu = g.first, o.after, w.tabu
    x = a
    if kind == AFTER:
        i = first[a]
        while x != b:
            x = after[x]
            if tabu[(first[x] * n + i) & mask] > now:
                return True
        return False
    i = first[b] * n
    while x != b:
        if tabu[(i + first[x]) & mask] > now:
            return True
        x = after[x]
    return False


def remember(g: Graph, o: Orders, w: Scratch, a: int, b: int, kind: int, until: int) -> None:
    """The orders that a move is about to give up must not come back before iteration `until`."""
    n, mask = g.size[0], len(w.tabu) - 1
    first, after, tabu = g.first, o.after, w.tabu
    x = a
    if kind == AFTER:
        i = first[a] * n
        while x != b:
            x = after[x]
            tabu[(i + first[x]) & mask] = until
    else:
        i = first[b]
        while x != b:
            tabu[(first[x] * n + i) & mask] = until
            x = after[x]


def place_on(g: Graph, o: Orders, t: Times, machine: int, start: int) -> int:
    """The slot of a machine behind which one that starts then belongs; -1: at the front."""
    found = -1
    x = o.head[machine]
    while x >= 0 and (t.end[g.first[x]] - g.p[g.first[x]] <= start or g.fixed[g.first[x]] == 1):
        found = x
        x = o.after[x]
    return found


# --- the search


def choose(w: Scratch, cost: int, tabu: bool, kind: int, a: int, b: int, choice: Numbers) -> None:
    """Keep a move if it is the best so far; `choice`: cost, kind, a, b, ties; then kind, a, b, count of a forbidden one."""
    if tabu and cost >= w.state[BEST]:
        choice[8] += 1
        if choice[8] == 1 or draw(w.state) % choice[8] == 0:
            choice[5] = kind
            choice[6] = a
            choice[7] = b
        return
    if cost < choice[0]:
        choice[0] = cost
        choice[4] = 0
    elif cost > choice[0]:
        return
    choice[4] += 1
    if choice[4] == 1 or draw(w.state) % choice[4] == 0:
        choice[1] = kind
        choice[2] = a
        choice[3] = b


def look_in_block(
    g: Graph, o: Orders, t: Times, w: Scratch, low: int, high: int, at_start: bool, at_end: bool, choice: Numbers
) -> None:
    """Moves within a stretch of the critical path on one machine, of at least three tasks."""
    path, via, end, tail, first, fixed = w.path, w.via, t.end, t.tail, g.first, g.fixed
    ahead, behind = w.ahead, w.behind
    bottom = via[low]
    top = o.after[via[high - 1]]
    machine = o.on[bottom]
    for k in range(low, high + 1):
        i = path[k]
        ahead[i] = start_apart(g, o, t, i, machine)
        behind[i] = tail_apart(g, o, t, i, machine)
    for way in range(4):
        if (way == 0 or way == 3) and at_end:
            continue
        if (way == 1 or way == 2) and at_start:
            continue
        for k in range(low, high + 1):
            x = via[k] if k < high else top
            if way == 0 or way == 3:
                if k >= high - 1 or (way == 3 and k == low):
                    continue
                a = x
                b = top
            else:
                if k <= low + 1 or (way == 2 and k == high):
                    continue
                a = bottom
                b = x
            kind = AFTER if way == 0 or way == 2 else BEFORE
            if fixed[first[a]] == 1:
                continue
            if kind == AFTER:
                if tail[first[b]] < behind[first[a]]:
                    continue
            elif end[first[a]] < ahead[first[b]]:
                continue
            cost = estimate_move(g, o, t, w, a, b, kind)
            tabu = cost >= w.state[BEST] and forbidden(g, o, w, a, b, kind)
            choose(w, cost, tabu, kind, a, b, choice)


def look_at_swap(g: Graph, o: Orders, t: Times, w: Scratch, s: int, choice: Numbers) -> None:
    """The swap of a slot with the one behind it."""
    b = o.after[s]
    if g.fixed[g.first[s]] == 1:
        return
    x = g.last[s]
    for k in range(g.succs_at[x], g.succs_at[x + 1]):
        if g.succs[k] == g.first[b]:
            return
    cost = estimate_swap(g, o, t, s)
    tabu = w.tabu[(g.first[b] * g.size[0] + g.first[s]) & (len(w.tabu) - 1)] > w.state[ITERATION]
    choose(w, cost, tabu, SWAP, s, b, choice)


def look_at_pools(g: Graph, o: Orders, t: Times, w: Scratch, i: int, choice: Numbers) -> None:
    """Other machines for the slots of a critical task, where there are several alike."""
    if g.fixed[i] == 1:
        return
    machines = g.size[2]
    start = t.end[i] - g.p[i]
    for s in range(g.enters_at[i], g.enters_at[i + 1]):
        machine = o.on[s]
        if g.high[machine] - g.low[machine] <= 1:
            continue
        head = start_apart(g, o, t, i, machine)
        rest = tail_apart(g, o, t, g.last[s], machine)
        for m in range(g.low[machine], g.high[machine]):
            busy = m == machine
            for k in range(g.enters_at[i], g.enters_at[i + 1]):
                if o.on[k] == m:
                    busy = True
            if busy:
                continue
            a = place_on(g, o, t, m, start)
            b = o.head[m] if a < 0 else o.after[a]
            from_ = head if a < 0 else max(head, t.end[g.last[a]])
            to = rest if b < 0 else max(rest, t.tail[g.first[b]])
            cost = from_ + t.end[g.last[s]] - start + to
            choose(w, cost, w.moved[s * machines + m] > w.state[ITERATION], CHANGE, s, m, choice)


def look(g: Graph, o: Orders, t: Times, w: Scratch, pools: bool, choice: Numbers) -> None:
    """All moves that could shorten one critical path."""
    size = critical_path(g, o, t, w, w.state[CURRENT])
    path, via, first, last, after = w.path, w.via, g.first, g.last, o.after
    k = 0
    while k < size - 1:
        s = via[k]
        if s < 0:
            k += 1
            continue
        high = k + 1
        x = after[s]
        if first[s] == last[s] and first[x] == last[x]:
            while high < size - 1 and via[high] == x and first[after[x]] == last[after[x]]:
                x = after[x]
                high += 1
        long = high - k >= 2
        at_start = k == 0 and g.release[path[0]] <= 0
        at_end = high == size - 1
        if long:
            look_in_block(g, o, t, w, k, high, at_start, at_end, choice)
        if not (long and at_start):
            look_at_swap(g, o, t, w, s, choice)
        if long and not at_end:
            look_at_swap(g, o, t, w, via[high - 1], choice)
        k = high
    if pools:
        for k in range(size):
            look_at_pools(g, o, t, w, path[k], choice)


def apply_move(g: Graph, o: Orders, t: Times, w: Scratch, kind: int, a: int, b: int, until: int) -> int:
    """Make a move; gives the new length, or -1 with nothing changed where the orders would contradict each other."""
    n, mask = g.size[0], len(w.tabu) - 1
    if kind == CHANGE:
        machine = o.on[a]
        old = o.before[a]
        behind = place_on(g, o, t, b, t.end[g.first[a]] - g.p[g.first[a]])
        unlink(o, a)
        link(o, a, b, behind)
        w.moved[a * g.size[2] + machine] = until
        length = evaluate(g, o, t, w.mark)
        if length < 0:
            unlink(o, a)
            link(o, a, machine, old)
            w.moved[a * g.size[2] + b] = until
            evaluate(g, o, t, w.mark)
        return length
    x = g.first[a]
    y = g.last[b]
    low = t.place[x]
    high = t.place[y]
    machine = o.on[a]
    old = o.before[a]
    last_old = o.before[b]
    if kind == SWAP:
        w.tabu[(g.first[a] * n + g.first[b]) & mask] = until
        swap_pair(g, o, a, b)
    else:
        remember(g, o, w, a, b, kind, until)
        if kind == AFTER:
            unlink(o, a)
            link(o, a, machine, b)
        else:
            unlink(o, b)
            link(o, b, machine, old)
    if reorder(g, o, t, x, y, w.mark, w.tasks):
        return propagate(g, o, t, low, high)
    if kind == SWAP:
        swap_pair(g, o, b, a)
    elif kind == AFTER:
        unlink(o, a)
        link(o, a, machine, old)
    else:
        unlink(o, b)
        link(o, b, machine, last_old)
    w.tabu[(g.first[b] * n + g.first[a]) & mask] = until + n
    return -1


def search(
    g: Graph, o: Orders, best: Orders, t: Times, w: Scratch, choice: Numbers, steps: int, patience: int, bound: int
) -> int:
    """Tabu search for so many steps; 1: nothing is left to gain or to try, 2: no improvement for `patience`, else 0."""
    n, slots, machines = g.size[0], g.size[1], g.size[2]
    state = w.state
    pools = False
    for m in range(machines):
        if g.high[m] - g.low[m] > 1:
            pools = True
    base = 10 + n // (machines * machines)
    for _ in range(steps):
        if state[BEST] <= bound:
            return 1
        if state[ITERATION] - state[SINCE] > patience:
            return 2
        state[ITERATION] += 1
        choice[0] = FAR
        for k in range(1, 9):
            choice[k] = 0
        look(g, o, t, w, pools, choice)
        kind, a, b = choice[1], choice[2], choice[3]
        if kind == NONE:
            kind, a, b = choice[5], choice[6], choice[7]
        if kind == NONE:
            return 1
        until = state[ITERATION] + base + draw(state) % (base // 2 + 1)
        length = apply_move(g, o, t, w, kind, a, b, until)
        if length < 0:
            continue
        state[CURRENT] = length
        if length < state[BEST]:
            state[BEST] = length
            state[SINCE] = state[ITERATION]
            copy_orders(o, best, slots, machines)
    return 0


def copy_orders(source: Orders, target: Orders, slots: int, machines: int) -> None:
    """Make one solution equal to another."""
    for s in range(slots):
        target.on[s] = source.on[s]
        target.before[s] = source.before[s]
        target.after[s] = source.after[s]
    for m in range(machines):
        target.head[m] = source.head[m]


def relink(g: Graph, o: Orders, t: Times, w: Scratch, steps: int, key: Numbers) -> int:
    """Go some steps towards another solution by swapping neighbours that stand the other way round there; gives the steps done.

    `key`: when each task starts there. Topological order is kept right, heads and tails are not.
    """
    slots = g.size[1]
    first, after, among = g.first, o.after, w.among
    done = 0
    for _ in range(steps):
        count = 0
        for s in range(slots):
            x = after[s]
            if x >= 0 and key[first[s]] > key[first[x]] and g.fixed[first[s]] == 0:
                among[count] = s
                count += 1
        good = False
        for _ in range(8):
            if count == 0:
                break
            s = among[draw(w.state) % count]
            x = after[s]
            swap_pair(g, o, s, x)
            good = reorder(g, o, t, first[s], g.last[x], w.mark, w.tasks)
            if good:
                break
            swap_pair(g, o, x, s)
        if not good:
            break
        done += 1
    return done


def distance(g: Graph, one: Orders, other: Orders, ranks: Numbers) -> int:
    """How much two solutions differ: by how many places each slot is off on its machine; another machine counts three."""
    total = 0
    for m in range(g.size[2]):
        place = 0
        s = other.head[m]
        while s >= 0:
            ranks[s] = place
            place += 1
            s = other.after[s]
    for m in range(g.size[2]):
        place = 0
        s = one.head[m]
        while s >= 0:
            total += 3 if other.on[s] != m else abs(ranks[s] - place)
            place += 1
            s = one.after[s]
    return total
