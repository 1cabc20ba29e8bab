--[[ reserve: hold units of one order, all lines or none. One call a request: the usual way.

  keys  1 stock (hash sku → units)  2 reservations (hash key → lines)  3 events (stream)
  args  1 idempotency key  2 lines as text  3… sku, units, sku, units …
  reply 1 held | 2 held before | 0 and the first SKU that is short
]]
local known = redis.call('HGET', KEYS[2], ARGV[1])
if known then return {2, known} end
for at = 3, #ARGV, 2 do
  local free = tonumber(redis.call('HGET', KEYS[1], ARGV[at]) or '0')
  if free < tonumber(ARGV[at + 1]) then return {0, ARGV[at]} end
end
for at = 3, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[at], -tonumber(ARGV[at + 1]))
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('XADD', KEYS[3], '*', 'type', 'held', 'key', ARGV[1], 'lines', ARGV[2])
return {1, ARGV[2]}
