-- SPDX-License-Identifier: MIT
-- shell: runs c8y_Command and puts the output into the operation. Off unless enabled, and
-- only what the allow-list names. Words are split at blanks, with '...' and "..." as in a
-- shell, and go to the program as they are: there is no shell, so no `;`, `|`, `$(...)`.
-- What an allowed program can start itself (find -exec, env, ssh) it can start for everyone.
--
-- settings.lua:  shell = { enabled = true, allow = { 'uptime', 'ip addr', 'ping -c 3' } }
--
--     enabled      Default: false
--     allow        a command must begin with the words of one of these. Default: none
--     timeout      seconds; then it is killed, with all that it has started. Default: 30
--     output_max   bytes of output that are sent; the rest is cut. Default: 8192

local plugin = require 'plugin'

local settings = plugin.settings('shell', {
    enabled = false,
    allow = {},
    timeout = 30,
    output_max = 8192
})

local COMMAND_MAX = 2000 -- bytes; it goes back with its output, in one row

-- Words of a command line; or nil and why.
local function words_of(line)
    local words, word, quote = {}, nil, nil
    for c in line:gmatch('.') do
        if quote then
            if c == quote then quote = nil else word = word .. c end
        elseif c == '"' or c == "'" then
            quote, word = c, word or ''
        elseif c:find('%s') then
            words[#words + 1] = word -- nil: nothing
            word = nil
        else
            word = (word or '') .. c
        end
    end
    if quote then return nil, 'a quote is not closed' end
    words[#words + 1] = word
    if #words == 0 then return nil, 'there is no command' end
    return words
end

local function begins_with(words, prefix)
    for i, word in ipairs(prefix) do
        if words[i] ~= word then return false end
    end
    return #prefix > 0
end

local function allowed(words)
    for _, entry in ipairs(settings.allow) do
        if begins_with(words, words_of(entry) or {}) then return true end
    end
    return false
end

-- The row of a command that has run. JSON and quotes make the output longer, sixfold at
-- worst: it is cut until it fits.
local function send_result(operation, line, output, reason)
    local max = settings.output_max
    local function values()
        local text = plugin.cut(output, max)
        if #text < #output then text = text .. '\n[cut]' end
        if reason then
            return 141, operation, plugin.json(reason), plugin.json(line), plugin.json(text)
        end
        return 140, operation, plugin.json(line), plugin.json(text)
    end
    while max > 0 and not plugin.fits(values()) do max = max * 3 // 4 end
    return plugin.send(values())
end

local function command(operation, _, line)
    if not line then return nil, "the operation has no command: no 'text'" end
    if #line > COMMAND_MAX then
        return nil, ('the command has more than %d bytes'):format(COMMAND_MAX)
    end
    local words, why = words_of(line)
    if not words then return nil, why end
    if not allowed(words) then
        return nil, ("'%s' is not on the allow-list"):format(words[1])
    end
    srNotice('running ' .. words[1] .. ' for operation ' .. operation)
    local output, status, note = c8y:run(words, -- one byte more, to see that it is cut
        { timeout = settings.timeout, max = settings.output_max + 1 })
    if not output then return nil, ('%s: %s'):format(words[1], status) end
    if note == 'timeout' then
        why = ('killed after %g s'):format(settings.timeout)
    elseif status ~= 0 then
        why = ('%s ended with status %d'):format(words[1], status)
    end
    send_result(operation, line, output, why)
    plugin.remember(operation)
    return 'later' -- the row has its status
end

function init()
    if not settings.enabled then
        srNotice('not enabled')
        return 0
    end
    if not c8y.run then
        srError('this agent denies processes to plugins')
        return -1
    end
    plugin.operation('c8y_Command', 506, command, { 540 })
    return 0
end
