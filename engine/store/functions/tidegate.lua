#!lua name=tidegate_v1
--[[ The store's half of the protocol: few functions, each one atomic, each fenced by epoch and token.

  A shard's keys share a hash tag:  meta  free  state  reservations  closed:<hour>  events  base

  meta          epoch token term seq head now owner store
  free          backing -> on_hand - reserved - committed: the guard
  state         field -> MessagePack: positions, SKUs, nodes, references, shortfalls
  reservations  id -> MessagePack: open reservations and pieces
  closed:<hour> id -> MessagePack: ended ones, dropped bucket by bucket
  events        stream, one entry a commit: id <seq>-0, fields e (events) and h (running hash)
  base          field -> MessagePack: stock by the events up to some commit, which at names

  Refusals are error replies that start with one of FENCED, SEQ, NOSHARD, OVERSELL, TERM, EPOCH.
  All checks come before the first write: what fails has written nothing.
]]

local SLICE = 2000 -- values unpacked into one call: Lua's C stack bounds it

local HELD = 1 -- the event of a new hold

local function in_slices(values, write)
  for first = 1, #values, SLICE do
    write(unpack(values, first, math.min(first + SLICE - 1, #values)))
  end
end

-- The reply to a caller who may not write this shard now, or nil.
local function refusal(meta, epoch, token)
  if not meta[1] then return redis.error_reply('NOSHARD no such shard') end
  if meta[1] ~= epoch or meta[2] ~= token then
    return redis.error_reply('FENCED ' .. meta[1])
  end
end

-- New values of the guard by backing, or the backing that would be oversold.
local function guarded(free, entries, excused)
  local backings, written = {}, {}
  for i = 1, #entries, 4 do backings[#backings + 1] = entries[i] end
  local old = {}
  in_slices(backings, function(...)
    local values = redis.call('HMGET', free, ...)
    for i = 1, #values do old[#old + 1] = tonumber(values[i] or '0') end
  end)
  for n = 1, #backings do
    local i = (n - 1) * 4
    local taken, added, removed = entries[i + 2], entries[i + 3], entries[i + 4]
    local result = old[n] - taken + added - removed
    if taken > 0 and old[n] - taken + added < 0 then return nil, backings[n] end
    if removed > 0 and result < 0 and not excused[backings[n]] then return nil, backings[n] end
    written[#written + 1] = backings[n]
    written[#written + 1] = string.format('%.0f', result)
  end
  return written
end

-- New holds as field, record, ...: their events say all there is to say, so they come only there.
-- A fact without payload leaves a hole, so the list's length means nothing: each event is asked for.
local function new_holds(events)
  local facts, holds, n, i = cmsgpack.unpack(events)[4], {}, 0, 1
  while facts[i] do
    if facts[i] == HELD then
      holds[n + 1], holds[n + 2] = facts[i + 1], facts[i + 2]
      n = n + 2
    end
    i = i + 3
  end
  return holds
end

local function apply(keys, args, returning)
  local meta, free, state, reservations, closed, events =
    keys[1], keys[2], keys[3], keys[4], keys[5], keys[6]
  local now = redis.call('HMGET', meta, 'epoch', 'token', 'seq', 'head')
  local refused = refusal(now, args[1], args[2])
  if refused then return refused end
  if now[3] == args[3] and now[4] == args[5] then return redis.status_reply('OK') end
  if tonumber(now[3]) + 1 ~= tonumber(args[3]) or now[4] ~= args[4] then
    return redis.error_reply('SEQ ' .. now[3])
  end
  local changes = cmsgpack.unpack(args[8])
  local excused = {}
  for _, backing in ipairs(changes[7]) do excused[backing] = true end
  local holds = new_holds(args[9])
  if returning then
    if #holds > 0 then return redis.error_reply('OVERSELL ' .. holds[1]) end
    for i = 1, #changes[1], 4 do
      if changes[1][i + 1] > 0 then return redis.error_reply('OVERSELL ' .. changes[1][i]) end
    end
  end
  local written, oversold = guarded(free, changes[1], excused)
  if not written then return redis.error_reply('OVERSELL ' .. oversold) end

  in_slices(written, function(...) redis.call('HSET', free, ...) end)
  in_slices(changes[2], function(...) redis.call('HSET', state, ...) end)
  in_slices(changes[3], function(...) redis.call('HDEL', state, ...) end)
  in_slices(holds, function(...) redis.call('HSET', reservations, ...) end)
  in_slices(changes[4], function(...) redis.call('HSET', reservations, ...) end)
  in_slices(changes[5], function(...) redis.call('HDEL', reservations, ...) end)
  in_slices(changes[6], function(...) redis.call('HSET', closed, ...) end)
  if keys[7] then redis.call('UNLINK', keys[7]) end
  redis.call('XADD', events, args[3] .. '-0', 'e', args[9], 'h', args[5])
  if args[7] ~= '0' then redis.call('XTRIM', events, 'MINID', args[7]) end
  redis.call('HSET', meta, 'seq', args[3], 'head', args[5], 'now', args[6])
  return redis.status_reply('OK')
end

--[[ commit: apply the effects of one batch to one shard, all or nothing.

  keys  1 meta  2 free  3 state  4 reservations  5 closed (this hour's)  6 events  [7 a closed bucket to drop]
  args  1 epoch  2 token  3 seq  4 hash_before  5 hash_after  6 now_ms  7 trim_below  8 changes  9 events
  changes (MessagePack): guard {backing, taken, added, removed, ...}, state puts, state dels,
                         reservation puts, reservation dels, closed puts, backings with a shortfall record
  events (MessagePack): {format, at_ms, network version, facts {event, subject, payload, ...}};
                         the records of new holds are written from here, before the puts
  reply OK (now, or this very commit before), or FENCED <epoch> | SEQ <seq> | NOSHARD | OVERSELL <backing>
  cost  O(changes)
]]
redis.register_function('tidegate_commit_v1', function(keys, args) return apply(keys, args, false) end)

-- The same for effects that only return units: allowed when the store is out of memory.
redis.register_function {
  function_name = 'tidegate_commit_returning_v1',
  callback = function(keys, args) return apply(keys, args, true) end,
  flags = { 'allow-oom' },
}

--[[ check: is this owner still the owner, and is this still the head of its history?
  keys  1 meta    args  1 epoch  2 token  3 seq  4 hash ]]
redis.register_function {
  function_name = 'tidegate_check_v1',
  callback = function(keys, args)
    local now = redis.call('HMGET', keys[1], 'epoch', 'token', 'seq', 'head')
    local refused = refusal(now, args[1], args[2])
    if refused then return refused end
    if now[3] ~= args[3] or now[4] ~= args[4] then return redis.error_reply('SEQ ' .. now[3]) end
    return redis.status_reply('OK')
  end,
  flags = { 'no-writes' },
}

--[[ acquire: the right to write a shard, for one owner at a time.
  keys  1 meta    args  1 term  2 epoch  3 token  4 owner
  reply {seq, head, now_ms of the last commit, store id, the store's clock in ms}, or TERM <term> | EPOCH <epoch> | NOSHARD ]]
redis.register_function {
  function_name = 'tidegate_acquire_v1',
  callback = function(keys, args)
    local now = redis.call('HMGET', keys[1], 'term', 'epoch', 'seq', 'head', 'now', 'store')
    if not now[1] then return redis.error_reply('NOSHARD no such shard') end
    if tonumber(args[1]) < tonumber(now[1]) then return redis.error_reply('TERM ' .. now[1]) end
    if tonumber(args[2]) <= tonumber(now[2]) then return redis.error_reply('EPOCH ' .. now[2]) end
    redis.call('HSET', keys[1], 'term', args[1], 'epoch', args[2], 'token', args[3], 'owner', args[4])
    local time = redis.call('TIME')
    local clock = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
    return { now[3], now[4], now[5], now[6], clock }
  end,
  flags = { 'allow-oom' },
}

--[[ release: give a shard up, so that its next owner need not wait.   keys  1 meta    args  1 epoch  2 token ]]
redis.register_function {
  function_name = 'tidegate_release_v1',
  callback = function(keys, args)
    local now = redis.call('HMGET', keys[1], 'epoch', 'token')
    local refused = refusal(now, args[1], args[2])
    if refused then return refused end
    redis.call('HSET', keys[1], 'token', '', 'owner', '')
    return redis.status_reply('OK')
  end,
  flags = { 'allow-oom' },
}

--[[ found: make an empty shard, once.   keys  1 meta    args  1 store id
  reply the store id the shard belongs to ]]
redis.register_function('tidegate_found_v1', function(keys, args)
  if redis.call('EXISTS', keys[1]) == 0 then
    redis.call('HSET', keys[1], 'epoch', '0', 'token', '', 'term', '0', 'seq', '0', 'head', '',
      'now', '0', 'owner', '', 'store', args[1])
  end
  return redis.call('HGET', keys[1], 'store')
end)

--[[ base: move the stock that events were folded into on, before these are trimmed.
  keys  1 meta  2 base    args  1 epoch  2 token  3 at before ('': none)  4 at after ('': unfinished)
        5 1: drop what it had first  6 changes (MessagePack): puts {field, value, ...}, dels {field, ...}
  reply OK, or FENCED <epoch> | NOSHARD | SEQ
  Allowed when the store is out of memory: the next commit trims more than this adds. ]]
redis.register_function {
  function_name = 'tidegate_base_v1',
  callback = function(keys, args)
    local refused = refusal(redis.call('HMGET', keys[1], 'epoch', 'token'), args[1], args[2])
    if refused then return refused end
    if (redis.call('HGET', keys[2], 'at') or '') ~= args[3] then
      return redis.error_reply('SEQ the base is elsewhere')
    end
    local changes = cmsgpack.unpack(args[6])
    if args[5] == '1' then redis.call('UNLINK', keys[2]) end
    in_slices(changes[1], function(...) redis.call('HSET', keys[2], ...) end)
    in_slices(changes[2], function(...) redis.call('HDEL', keys[2], ...) end)
    if args[4] == '' then redis.call('HDEL', keys[2], 'at')
    else redis.call('HSET', keys[2], 'at', args[4]) end
    return redis.status_reply('OK')
  end,
  flags = { 'allow-oom' },
}

--[[ peek: some fields of one hash and the seq they belong to, read at one instant.
  keys  1 meta  2 hash    args  fields
  reply {epoch, seq, head, value or false, ...} ]]
redis.register_function {
  function_name = 'tidegate_peek_v1',
  callback = function(keys, args)
    local reply = redis.call('HMGET', keys[1], 'epoch', 'seq', 'head')
    if not reply[1] then return redis.error_reply('NOSHARD no such shard') end
    if #args > 0 then
      for _, value in ipairs(redis.call('HMGET', keys[2], unpack(args))) do reply[#reply + 1] = value end
    end
    return reply
  end,
  flags = { 'no-writes' },
}
