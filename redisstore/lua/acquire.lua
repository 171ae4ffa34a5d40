-- Takes one of the places of a key. A place is a member of a sorted set whose
-- score is the time at which it ends.
-- KEYS: the set. ARGV: places, microseconds that a place lasts, the member.
-- Returns 1 or 0.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then
  return 0
end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[3])
local ms = math.ceil(ARGV[2] / 1000)
if redis.call('PTTL', KEYS[1]) < ms then
  redis.call('PEXPIRE', KEYS[1], ms)
end
return 1
