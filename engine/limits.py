"""Every bound of the engine: its name, its unit and the reason for it."""

from typing import Final

#: Lines of one reservation. A real basket has up to 161 lines; twice that is a bulk order.
LINES_MAX: Final = 200
#: Reservations or ids in one batch request.
BATCH_REQUEST_MAX: Final = 2_000
#: Rows of one adjustment request, and how many of them one commit applies.
ADJUSTMENTS_MAX: Final = 10_000
ADJUSTMENT_SLICE: Final = 250  # About a millisecond: reservations wait behind it.
#: SKUs in one availability query.
QUERY_SKUS_MAX: Final = 200
#: Promises that one commit moves from a supply to the node where it has come.
ARRIVAL_SLICE: Final = 1_000
#: Supplies of one SKU that are still to come: every request with a date looks at them all.
SUPPLIES_OPEN_MAX: Final = 1_000
#: How long a supply is told of after it has ended; then its id is free again.
SUPPLY_KEPT_MS: Final = 7 * 24 * 3_600_000
#: Orders of positions kept of one SKU: for so many zones and quantities.
ORDERS_MAX: Final = 512
#: What a parcel beyond an order's first weighs beside its carriage: packing, and a second knock
#: at the door.
SPLIT_CENTS: Final = 150
#: Nodes looked at for an order of several lines that goes to one place: of all lines together, the
#: cheapest of each, and as many of the rarest.
NEAR_LOOKED_AT: Final = 10
#: Positions looked at, the cheapest first, for one from where a line would be less late: so many,
#: and if that says nothing yet, so many.
LATE_LOOKED_AT: Final = (1, 8, 64)
#: How long a store keeps what was ordered for pickup.
PICKUP_HOLD_HOURS_DEFAULT: Final = 72
#: Places told of a line that is asked about, the cheapest and the fastest so many.
CANDIDATES_MAX: Final = 50
#: Places whose numbers are told with an explanation.
EXPLAINED_MAX: Final = 100
#: Nodes that one line may be sent from.
SPLIT_MAX: Final = 5
#: What an hour behind the wanted date weighs in the choice of a node. As much as a parcel's
#: fixed part every few hours: late is worth money, but not any money.
LATE_CENTS_PER_HOUR: Final = 50
#: Kinds of refusals (SKU, share, reason) counted apart in a second; the rest count together.
REFUSALS_KEPT_MAX: Final = 1_000
#: Of all changes since a reader was here, the owner looks through so many: a millisecond or two.
#: Who is further behind begins anew.
CHANGES_LOOKED_AT_MAX: Final = 20_000
#: Rows (SKU and node) that one answer to him carries, about.
CHANGES_ROWS_MAX: Final = 5_000
#: Low stock is over at its threshold and so much of it more.
LOW_STOCK_BACK_PERMILLE: Final = 100
#: Orders of one wave.
WAVE_ORDERS_MAX: Final = 200_000
#: Orders that one command moves.
MOVES_MAX: Final = 256
#: Bid prices that one command brings to a shard, about.
BID_CELLS_SLICE: Final = 2_000
#: Records looked at for one answer to what may be moved.
MOVABLE_LOOKED_AT: Final = 2_000
#: How far back a count may be dated: what moved since is remembered for so long.
MOVEMENTS_KEPT_MS: Final = 24 * 3_600_000
#: Bytes of network elements that one command brings to a shard, about.
NETWORK_BYTES_MAX: Final = 256 * 1024
#: Lanes that one command changes, and of one request.
LANES_SLICE: Final = 1_000
LANES_MAX: Final = 100_000
#: SKUs of one bundle.
BUNDLE_PARTS_MAX: Final = 50
#: SKUs of one campaign.
CAMPAIGN_ITEMS_MAX: Final = 1_000
#: Units of one line, and of one position.
QUANTITY_MAX: Final = 1_000_000
ON_HAND_MAX: Final = 1_000_000_000
#: Characters of a caller's key (an id adds four for the home).
KEY_CHARS_MAX: Final = 60
ID_CHARS_MAX: Final = 64
TEXT_CHARS_MAX: Final = 200
HOLD_SECONDS_DEFAULT: Final = 900
HOLD_SECONDS_MAX: Final = 86_400
#: Customers that wait for one SKU: who asks for his place is looked up among them all.
WAITING_MAX: Final = 1_000
#: Entries of one shard's waiting lists, ended ones that are still told of among them.
WAITING_SHARD_MAX: Final = 200_000
#: Offers made at a time, two milliseconds; the rest follow before anybody else is served.
OFFERS_MAX: Final = 64
#: How long somebody waits for units, and how long they are held for him then.
WAIT_SECONDS_DEFAULT: Final = 86_400
WAIT_SECONDS_MAX: Final = 30 * 86_400
OFFER_SECONDS_DEFAULT: Final = 120
OFFER_SECONDS_MIN: Final = 10
OFFER_SECONDS_MAX: Final = 900
#: Three hex digits name the home shard in an id.
SHARDS_MAX: Final = 4_096
SHARDS_DEFAULT: Final = 8

#: What one call to an owner carries: above this a call costs more than it saves.
BATCH_COMMANDS_MAX: Final = 512
BATCH_BYTES_MAX: Final = 64 * 1024
#: Commands one commit carries when many callers' batches are waiting for the same shard.
COMMIT_COMMANDS_MAX: Final = 4_096
#: Commands that wait for one shard before new reservations are refused. At the slowest rate
#: seen (20,000/s) this is 0.4 s of work, well inside the default deadline.
QUEUE_COMMANDS_MAX: Final = 8_192
#: Batches a caller keeps on the way to one owner: one, and a second only when so many commands
#: wait that deciding them hides the first one's commit. More would only cut batches smaller.
BATCHES_IN_FLIGHT: Final = 2
SECOND_BATCH_MIN: Final = 256
#: A batch waits until this share of the callers of the last one has come back, but only while
#: they keep coming: so many turns of the loop in a row without anybody end the wait, so many turns
#: in all do anyway (about a millisecond), and it begins only where at least so many callers are
#: at work at once. Beyond ``GATHER_MAX`` commands waiting saves nothing more.
GATHER_SHARE: Final = 0.75
GATHER_QUIET_TURNS: Final = 5
GATHER_TURNS_MAX: Final = 100
GATHER_MIN: Final = 8
GATHER_MAX: Final = 256

DEADLINE_MS_DEFAULT: Final = 2_000
DEADLINE_MS_MAX: Final = 30_000
#: When to send again what nobody could answer now: a dead host's shards are served again by then.
RETRY_AFTER_MS: Final = 200
#: The same where others are being decided, which takes a few batches.
IN_PROGRESS_RETRY_MS: Final = 100

#: How long an ended reservation still answers for its key, unless told otherwise. At least as
#: long as the longest hold; every ended one costs its owner some 100 bytes for as long.
CLOSED_WINDOW_MS: Final = 24 * 3_600_000
CLOSED_WINDOW_HOURS_MAX: Final = 720
CLOSED_BUCKET_MS: Final = 3_600_000
#: How long a reference of an adjustment is remembered.
REFERENCE_WINDOW_MS: Final = 24 * 3_600_000

#: A piece asks home about its fate after this long.
PIECE_ASK_MS: Final = 5_000
#: Holds that end within the same span are due together, at its end: part of the second that
#: callers are told units take to come back.
DUE_MS: Final = 250
#: Units return with sweeps of this many holds, so that a confirm never waits behind a crowd.
SWEEP_MAX: Final = 512
#: Counts of customers in campaigns that are over, let go of in one command that tidies.
FORGOTTEN_MAX: Final = 512
#: No expiry this long after a takeover: callers get a chance to confirm first.
EXPIRY_GRACE_MS: Final = 5_000
#: Clocks further apart than this raise an alarm and pause expiry.
CLOCK_SKEW_MS_MAX: Final = 5_000

#: A shortfall must be settled by somebody within this long.
SHORTFALL_DEADLINE_MS: Final = 24 * 3_600_000

#: Fields one ``peek`` reads atomically.
PEEK_FIELDS_MAX: Final = 1_000
#: Commits kept as bytes to heal a store that came back behind.
HISTORY_BYTES_MAX: Final = 64 * 1024 * 1024
HISTORY_MS_MAX: Final = 10_000
#: A refused but unharmed store (loading, out of memory …) is tried again for this long.
STORE_RETRY_MS: Final = 1_000
#: A commit unanswered for this long is in doubt, though the connection stands: a store that
#: rewrites its file or waits for a disk takes a second at most.
COMMIT_SILENCE_MS: Final = 3_000
#: Entries of one shard's event stream; what is older is folded into its base and trimmed.
EVENTS_KEPT_MAX: Final = 1_000_000
#: Bytes of one shard's event stream: commits of thousands of facts are large.
EVENTS_BYTES_MAX: Final = 1024**3

#: A frozen owner is replaced after this silence; it is asked this often.
HEALTH_EVERY_MS: Final = 500
HEALTH_SILENCE_MS: Final = 2_000

#: Gateways poll the owners' views this often; a sold-out answer lives no longer than its hint.
VIEW_POLL_MS: Final = 50
VIEW_AGE_MS_MAX: Final = 2_000
HINT_MS: Final = 100
#: Keys a sold-out hint's filter may hold (10 bits each); above it the owner answers itself.
HINT_KEYS_MAX: Final = 200_000
#: Keys entered into it at a time, between other decisions: 10 ms.
HINT_KEYS_AT_ONCE: Final = 5_000
#: Takers of SKUs looked through at a time for those whose window is over: 5 ms.
TAKERS_TIDIED_MAX: Final = 20_000
#: Keys a gateway remembers to notice one used with two homes.
RECENT_KEYS_MAX: Final = 100_000
