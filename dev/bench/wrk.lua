-- What wrk sends and how it reports; scriptArguments() of run-wrk.ts has the arguments after `--`.
local request_of
local number = 0

function init(args)
  local kind, before, after = args[1], args[2], args[3]
  if kind == "post" then
    local headers = { ["Content-Type"] = "application/json" }
    request_of = function(nth) return wrk.format("POST", nil, headers, before .. nth .. after) end
  elseif kind == "each" then
    local count, first, stride = tonumber(args[4]), tonumber(args[5]), tonumber(args[6])
    request_of = function(nth)
      return wrk.format("GET", wrk.path .. before .. (first + nth * stride) % count .. after)
    end
  else
    local requests = {}
    for nth = 2, #args do requests[nth - 1] = wrk.format("GET", args[nth]) end
    request_of = function(nth) return requests[nth % #requests + 1] end
  end
end

function request()
  number = number + 1
  return request_of(number)
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '{"seconds":%f,"responses":%d,"non2xx":%d,"failed":%d,"p50Ms":%f,"p99Ms":%f}\n',
    summary.duration / 1e6, summary.requests, errors.status, failed,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
