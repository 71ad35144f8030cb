-- SPDX-License-Identifier: MIT
-- restart: carries out c8y_Restart.
--
-- The platform has the operation as EXECUTING before anything happens, and as SUCCESSFUL
-- after the next start. In between it is in a file, since nothing else survives. If the
-- command fails, or nothing comes of it, or only the agent was restarted, it is FAILED.
--
-- settings.lua:  restart = { command = { 'systemctl', 'reboot' }, state = '/var/lib/me/restart' }
--
--     command   program and arguments; no shell. Default: { 'reboot' }
--     state     the file. Its folder has to exist. Default: '/var/lib/smartrest/restart'
--     reboots   false: the command restarts the agent, or a container, and not the kernel.
--               Default: true
--     timeout   seconds until the device must have gone down. Default: 300

local plugin = require 'plugin'

local settings = plugin.settings('restart', {
    command = { 'reboot' },
    state = '/var/lib/smartrest/restart',
    reboots = true,
    timeout = 300
})

local status_file = settings.state .. '.status' -- that of a command which has failed
local LOOK_MS = 500

local function boot_id()
    return (plugin.read_file('/proc/sys/kernel/random/boot_id') or ''):match('%S+') or 'unknown'
end

-- Tells this run of the agent from every other: process id, and when it began.
local function run_id()
    local stat = plugin.read_file('/proc/self/stat') or ''
    local fields = {}
    for field in (stat:match('.*%) (.*)') or ''):gmatch('%S+') do fields[#fields + 1] = field end
    return (stat:match('^%d+') or '0') .. '-' .. (fields[20] or '0')
end

local function forget()
    os.remove(status_file)
    os.remove(settings.state)
end

-- --- the act -----------------------------------------------------------------------------

local under_way, watch, waited

local function give_up(reason)
    if watch then watch:stop() end
    plugin.failed(under_way, reason)
    under_way = nil
    forget()
end

-- Whoever is to go down with the device cannot wait for the command's end. So it is left
-- alone, and writes down its status if it fails.
function look()
    local status = (plugin.read_file(status_file) or ''):match('%d+')
    waited = waited + LOOK_MS / 1000
    if status then
        give_up(('%s ended with status %s'):format(settings.command[1], status))
    elseif waited >= settings.timeout then
        give_up(('the device is still up after %d s'):format(settings.timeout))
    end
end

local function begin_to_look(operation)
    under_way, waited = operation, 0
    watch = watch or c8y:addTimer(LOOK_MS, 'look')
    watch:start()
end

local function quoted(word)
    return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function start_command()
    local words = {}
    for i, word in ipairs(settings.command) do words[i] = quoted(word) end
    return os.execute(('{ %s || echo $? >%s; } </dev/null >/dev/null 2>&1 &')
        :format(table.concat(words, ' '), quoted(status_file)))
end

local function restart(operation)
    if under_way then return nil, 'operation ' .. under_way .. ' restarts the device already' end
    os.remove(status_file)
    local ok, why = plugin.write_file(settings.state,
        ('%s %s %s\n'):format(operation, boot_id(), run_id()))
    if not ok then return nil, why end
    srNotice('restarting for operation ' .. operation)
    begin_to_look(operation)
    if not start_command() then give_up(settings.command[1] .. ' could not be started') end
    return 'later'
end

-- --- and after it ----------------------------------------------------------------------------

-- The file is removed once the platform knows; until then it is told at every start.
local function once_delivered(delivered)
    if delivered then forget() end
end

local function report()
    local operation, boot, run = (plugin.read_file(settings.state) or ''):match('^(%S+) (%S+) (%S+)')
    if not operation then return end
    plugin.remember(operation)
    if run == run_id() then -- the plugin was loaded anew, nothing else
        begin_to_look(operation)
    elseif settings.reboots and boot == boot_id() then
        plugin.failed(operation, 'the agent was restarted, the device was not', once_delivered)
    else
        plugin.successful(operation, once_delivered)
    end
end

function init()
    if not os.execute then
        srError('this agent denies processes to plugins')
        return -1
    end
    report()
    plugin.operation('c8y_Restart', 502, restart)
    return 0
end
