-- Gives tokens back. A full bucket is an absent key, so nothing rises above the
-- burst, and what is not known is full already.
-- KEYS: one for each charge. ARGV: microseconds for each charge.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

for i, key in ipairs(KEYS) do
  local stored = redis.call('GET', key)
  if stored then
    local at = tonumber(stored)
    if not at or not (at >= 0 and at < 9007199254740992) then
      return redis.error_reply('BADVALUE a limit key holds something else')
    end
    at = at - ARGV[i]
    if at <= now then
      redis.call('DEL', key)
    else
      redis.call('SET', key, at, 'PX', math.ceil((at - now) / 1000))
    end
  end
end
return 1
