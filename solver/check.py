"""Whether a plan may be carried out, and what it costs: written apart from what makes plans.

Plain loops over one order at a time, from the problem's words and not from `costs`: an error in
the arrays of the optimiser shows here as a difference.
"""

from collections import Counter, defaultdict

from solver.plan import Plan
from solver.problem import NO_GROUP, NOWHERE, Problem


def _parcel(problem: Problem, order: int, dock: int, broken: list[str]) -> int:
    """The cents of one parcel without its lines."""
    net, orders = problem.network, problem.orders
    node, zone, name = int(net.dock_node[dock]), int(orders.zone[order]), orders.ids[order]
    if not int(orders.kinds[order]) >> int(net.kind[node]) & 1:
        broken.append(f"order {name}: {net.nodes[node]} is of a kind that it may not leave from")
    arrival = float(net.departure[dock])
    fixed = 0
    if int(orders.pickup[order]) == NOWHERE:
        fixed = int(net.lane_fixed[node, zone])
        arrival += float(net.transit[node, zone])
        if fixed < 0:
            broken.append(f"order {name}: no lane from {net.nodes[node]} to {net.zones[zone]}")
    elif int(orders.pickup[order]) != node:
        broken.append(f"order {name}: fetched at another node than {net.nodes[node]}")
    days = max(0.0, arrival - float(orders.due[order])) / 24.0
    return fixed + round(days * problem.weights.lateness_day * int(orders.priority[order]))


def _line(problem: Problem, line: int, dock: int, broken: list[str]) -> int:
    net, orders = problem.network, problem.orders
    node, order = int(net.dock_node[dock]), int(orders.line_order[line])
    if int(orders.only[line]) not in {NOWHERE, node}:
        wanted = net.nodes[int(orders.only[line])]
        broken.append(f"order {orders.ids[order]}: a line of {wanted} leaves {net.nodes[node]}")
    quantity = int(orders.quantity[line])
    cents = quantity * int(net.handling[node])
    if int(orders.pickup[order]) == NOWHERE:
        grams, zone = quantity * int(problem.unit_grams[orders.line_sku[line]]), orders.zone[order]
        rates = [(0, int(net.lane_kg[node, zone])), *net.lane_steps[node, zone].tolist()]
        rate = [cents_a_kg for begins, cents_a_kg in rates if begins <= grams][-1]
        cents += -(-rate * grams // 1000)
    return cents


def _order(problem: Problem, order: int, docks: dict[int, int], broken: list[str]) -> int:
    """The cents of one order; `docks` has the dock of each of its lines."""
    orders, weights = problem.orders, problem.weights
    name = orders.ids[order]
    used = sorted({dock for dock in docks.values() if dock != NOWHERE})
    left = [line for line, dock in docks.items() if dock == NOWHERE]
    if len(used) > int(orders.most_parcels[order]):
        broken.append(f"order {name}: {len(used)} parcels of {orders.most_parcels[order]}")
    if used and left and bool(orders.complete[order]):
        broken.append(f"order {name}: ships complete, but {len(left)} lines are left")
    groups: dict[int, set[int]] = defaultdict(set)
    for line, dock in docks.items():
        if int(orders.together[line]) != NO_GROUP:
            groups[int(orders.together[line])].add(dock)
    broken.extend(
        f"order {name}: lines that leave together are apart"
        for apart in groups.values()
        if len(apart) > 1
    )
    cents = sum(_parcel(problem, order, dock, broken) for dock in used)
    cents += max(0, len(used) - 1) * weights.split
    cents += len(left) * weights.unserved_line * int(orders.priority[order])
    cents += weights.displaced_line * sum(int(problem.standing[line]) != NOWHERE for line in left)
    cents += sum(
        _line(problem, line, dock, broken) for line, dock in docks.items() if dock != NOWHERE
    )
    standing = {line: int(problem.standing[line]) for line in docks}
    if any(dock != NOWHERE for dock in standing.values()) and standing != docks:
        cents += weights.change
    return cents


def check(plan: Plan, problem: Problem) -> list[str]:
    """What is wrong with `plan`, a sentence each: an empty list says that it holds."""
    net, orders = problem.network, problem.orders
    broken: list[str] = []
    by_order: dict[int, dict[int, int]] = defaultdict(dict)
    taken: Counter[tuple[int, int]] = Counter()
    parcels: set[tuple[int, int]] = set()
    for line, dock in enumerate(plan.line_dock.tolist()):
        order = int(orders.line_order[line])
        by_order[order][line] = dock
        if dock != NOWHERE:
            cell = int(orders.line_sku[line]), int(net.dock_node[dock])
            taken[cell] += int(orders.quantity[line])
            parcels.add((order, dock))
    for (sku, node), units in taken.items():
        if units > int(problem.stock[sku, node]):
            have = int(problem.stock[sku, node])
            broken.append(f"{problem.skus[sku]} at {net.nodes[node]}: {units} units of {have}")
    for dock, count in Counter(dock for _, dock in parcels).items():
        if count > int(net.capacity[dock]):
            name = net.nodes[int(net.dock_node[dock])]
            broken.append(f"dock {dock} of {name}: {count} parcels of {net.capacity[dock]}")
    cents = sum(_order(problem, order, docks, broken) for order, docks in by_order.items())
    if cents != plan.cost.total:
        broken.append(f"the plan says {plan.cost.total} cents and costs {cents}")
    if plan.parcels != len(parcels):
        broken.append(f"the plan says {plan.parcels} parcels and makes {len(parcels)}")
    if plan.bound > cents + 1e-6 * max(1, cents):
        broken.append(f"the bound {plan.bound:.2f} lies above the cost {cents}")
    return broken
