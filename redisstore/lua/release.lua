-- Frees a message that the owner holds.
-- KEYS: the message. ARGV: the owner's mark.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 1
