-- SPDX-License-Identifier: MIT
-- The plugin of example 06-lua: what 04-operation does in C.
local cpu = require 'cpu' -- lib/cpu.lua: found by the library path

local timer

function cpuMeasurement()
    c8y:send(('103,%s,%.1f'):format(c8y.ID, cpu.load()))
end

local BUF = 1 -- an operation's status outlives an outage

-- 502,<line>,<operation id>,<device id>; 503, the same, if it was asked for
function restart(record)
    local operation = record:value(2)
    if record:value(3) ~= c8y.ID then
        return -- of a child of ours
    end
    if not c8y:takeOperation(operation) then
        return -- delivered and fetched: it is under way
    end
    srNotice('restarting device ' .. record:value(3))
    c8y:send('105,' .. operation .. ',EXECUTING', BUF)

    local done
    done = c8y:addTimer(1000, function()
        c8y:send('105,' .. operation .. ',SUCCESSFUL', BUF)
        done:stop()
    end)
    done:start()
end

-- What was made while the connection was away is not delivered later.
function fetch()
    c8y:send('106,' .. c8y.ID)
end

function init()
    timer = c8y:addTimer(10 * 1000, 'cpuMeasurement')
    timer:start()
    c8y:addMsgHandler(502, 'restart')
    c8y:addMsgHandler(503, 'restart')
    c8y:onConnected('fetch')
    c8y:send('104,' .. c8y.ID .. ',"""c8y_Restart"""')
    return 0
end
