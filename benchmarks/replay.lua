-- wrk replays prepared requests from files, and prints one line of results.
-- Arguments: the file of requests (each "length with-body NL bytes"), the file of
-- the body that those share which have one (with-body is 1), and the number of threads. Each thread has requests
-- of its own, so that no two put the same key at the same time.
-- wrk counts answers of 400 and above itself, so no `response` function is needed,
-- which would cost more than the answer.

local threads = 0

function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

local function read(path)
   local file = assert(io.open(path, "rb"))
   local data = file:read("*a")
   file:close()
   return data
end

function init(args)
   local data, body, shares = read(args[1]), read(args[2]), tonumber(args[3])
   local at, count = 1, 0
   requests, following = {}, 0
   while at <= #data do
      local stop = data:find("\n", at, true)
      local length, has = data:sub(at, stop - 1):match("(%d+) (%d)")
      length = tonumber(length)
      if count % shares == number then
         local one = data:sub(stop + 1, stop + length)
         requests[#requests + 1] = has == "1" and one .. body or one
      end
      at, count = stop + length + 1, count + 1
   end
end

function request()
   following = following % #requests + 1
   return requests[following]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      "replay: requests=%d microseconds=%d bytes=%d p50=%d p99=%d longest=%d"
         .. " connect=%d read=%d write=%d timeout=%d status=%d\n",
      summary.requests, summary.duration, summary.bytes,
      latency:percentile(50), latency:percentile(99), latency.max,
      errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
