-- Takes from all buckets or from none. A bucket is the time at which it is full
-- again, in microseconds: GCRA's theoretical arrival time. An absent key is a full
-- bucket.
-- KEYS: one for each charge, repeated where charges share a bucket.
-- ARGV: two for each charge: its cost and the bucket's size, in microseconds.
-- Returns 1 or 0, then two for each charge: how long to wait until it fits (0: it
-- does), and what the bucket lacked before it, earlier charges included.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local full, ok, reply = {}, 1, {}
for i = 1, #KEYS do
  local key = KEYS[i]
  local at = full[key]
  if not at then
    at = now
    local stored = redis.call('GET', key)
    if stored then
      at = tonumber(stored)
      if not at or not (at >= 0 and at < 9007199254740992) then
        return redis.error_reply('BADVALUE a limit key holds something else')
      end
      if at < now then
        at = now
      end
    end
  end
  local cost, wait = tonumber(ARGV[2*i-1]), 0
  if cost > 0 then
    full[key] = at + cost
    wait = at + cost - now - ARGV[2*i]
    if wait > 0 then
      ok = 0
    else
      wait = 0
    end
  end
  reply[2*i] = wait
  reply[2*i+1] = at - now
end
reply[1] = ok

if ok == 1 then
  for key, at in pairs(full) do -- Redis writes numbers with 17 digits, at has 16
    redis.call('SET', key, at, 'PX', math.ceil((at - now) / 1000))
  end
end
return reply
