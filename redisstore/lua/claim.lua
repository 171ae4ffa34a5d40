-- Claims a message. SET with NX and GET would do, but needs Redis 7.
-- KEYS: the message. ARGV: the owner's mark, the mark of a delivered message,
-- milliseconds of the lease.
-- Returns 1 (claimed), 2 (another owner's) or 3 (delivered).
local held = redis.call('GET', KEYS[1])
if not held then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
  return 1
end
if held == ARGV[1] then
  return 1
end
if held == ARGV[2] then
  return 3
end
return 2
