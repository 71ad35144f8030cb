-- SPDX-License-Identifier: MIT
-- configuration: a text file of the device, shown in the platform and replaced from there
-- (c8y_Configuration; c8y_SendConfiguration shows it again).
--
-- A new text is written beside the old one and then put in its place. If the command `apply`
-- fails, the old one comes back. It must not restart the agent, which could not report then.
--
-- settings.lua:  configuration = { file = '/etc/me.conf', apply = { 'systemctl', 'reload', 'me' } }
--
--     file      the file. Default: '/etc/smartrest/device.conf'
--     apply     program and arguments to run after a change; no shell. Default: none
--     timeout   seconds; then apply is killed, and has failed. Default: 60
--     max       bytes of the longest text. In a row it has to be below 15,360. Default: 8192

local plugin = require 'plugin'

local settings = plugin.settings('configuration', {
    file = '/etc/smartrest/device.conf',
    apply = false,
    timeout = 60,
    max = 8192
})

local OLD_MAX = 1024 * 1024 -- bytes of a file that can be brought back

-- The values of the row that shows a text; nil and why, if it does not fit one.
local function row_of(text)
    local row = { 130, c8y.ID, plugin.json(text) }
    if #text > settings.max then
        return nil, ('the text has %d bytes, more than %d'):format(#text, settings.max)
    end
    if not plugin.fits(table.unpack(row)) then return nil, 'the text does not fit a row' end
    return row
end

local function show()
    local text, why = plugin.read_file(settings.file, OLD_MAX)
    if not text then return nil, why end
    local row
    row, why = row_of(text)
    if not row then return nil, why end
    plugin.send(table.unpack(row))
    return true
end

-- True; or nil and why.
local function apply()
    if not settings.apply then return true end
    local output, status, reason = c8y:run(settings.apply, { timeout = settings.timeout, max = 1000 })
    local name = settings.apply[1]
    if not output then return nil, name .. ': ' .. status end
    if reason == 'timeout' then return nil, ('%s took more than %d s'):format(name, settings.timeout) end
    if status ~= 0 then
        return nil, ('%s ended with status %d: %s'):format(name, status, output)
    end
    return true
end

local function bring_back(old)
    if old then return plugin.write_file(settings.file, old) end
    return os.remove(settings.file)
end

local function set_configuration(_, _, text)
    local row, old, ok, why, missing
    if not text then return nil, "the operation has no text: no 'config'" end
    row, why = row_of(text)
    if not row then return nil, why end
    old, why, missing = plugin.read_file(settings.file, OLD_MAX)
    if not old and not missing then return nil, why end
    ok, why = plugin.write_file(settings.file, text)
    if not ok then return nil, why end
    ok, why = apply()
    if ok then return show() end
    local back, why_not = bring_back(old)
    return nil, why .. (back and '; the old file is back' or '; ' .. why_not)
end

local function send_configuration()
    return show()
end

function init()
    if settings.apply and not c8y.run then
        srError("the setting 'apply' needs processes, which this agent denies to plugins")
        return -1
    end
    local ok, why = show()
    if not ok then srNotice('no configuration to show: ' .. why) end
    plugin.operation('c8y_Configuration', 504, set_configuration, { 530 })
    plugin.operation('c8y_SendConfiguration', 505, send_configuration)
    return 0
end
