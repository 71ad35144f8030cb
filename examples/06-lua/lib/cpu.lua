-- SPDX-License-Identifier: MIT
local cpu = {}

local last_total, last_idle = 0, 0

-- How busy the processors were since the last call, in percent, from /proc/stat; the first
-- call tells since boot.
function cpu.load()
    local stat = io.open('/proc/stat')
    local line = stat and stat:read('l') or ''
    if stat then stat:close() end
    local total, idle, n = 0, 0, 0 -- user nice system idle iowait irq softirq steal
    for ticks in line:gmatch('%d+') do
        n = n + 1
        if n <= 8 then total = total + tonumber(ticks) end
        if n == 4 or n == 5 then idle = idle + tonumber(ticks) end
    end
    local passed, rested = total - last_total, idle - last_idle
    last_total, last_idle = total, idle
    if passed <= 0 or rested < 0 then return 0.0 end
    return math.max(0.0, 100 * (1 - rested / passed))
end

return cpu
