/* SPDX-License-Identifier: MIT */
#include "push/states.h"

#include <stddef.h>

#define START  SR_PUSH_IDLE
#define SHAKE  SR_PUSH_SHAKING
#define SUBS   SR_PUSH_SUBSCRIBING
#define HOLD   SR_PUSH_HOLDING
#define GIVE   SR_PUSH_DELIVERING
#define PAUSE  SR_PUSH_PAUSING
#define ASLEEP SR_PUSH_ASLEEP
#define OVER   SR_PUSH_OVER

static const struct change {
    enum sr_push_state from, to;
    const char *why;
} changes[] = {
    {START,   SHAKE,  "started"                                         },
    { START,  ASLEEP, "started, and asleep since before"                },

    { SHAKE,  SUBS,   "there is a client id"                            },
    { SHAKE,  PAUSE,  "the handshake failed"                            },
    { SHAKE,  OVER,   "advised to stop"                                 },
    { SHAKE,  ASLEEP, "put to sleep"                                    },

    { SUBS,   HOLD,   "subscribed"                                      },
    { SUBS,   PAUSE,  "subscribing failed, or the client id is unknown" },
    { SUBS,   OVER,   "advised to stop"                                 },
    { SUBS,   ASLEEP, "put to sleep"                                    },

    { HOLD,   HOLD,   "nothing happened for as long as a request lasts" },
    { HOLD,   GIVE,   "rows have come"                                  },
    { HOLD,   PAUSE,  "advised to, or failed, or nothing came too soon" },
    { HOLD,   OVER,   "advised to stop"                                 },
    { HOLD,   ASLEEP, "put to sleep"                                    },

    { GIVE,   HOLD,   "what has come is done with"                      },
    { GIVE,   PAUSE,  "what has come is done with, advised to pause"    },
    { GIVE,   OVER,   "what has come is done with, advised to stop"     },
    { GIVE,   ASLEEP, "put to sleep by a handler"                       },

    { PAUSE,  SHAKE,  "the pause is over, there is no session"          },
    { PAUSE,  SUBS,   "the pause is over, the session is not subscribed"},
    { PAUSE,  HOLD,   "the pause is over"                               },
    { PAUSE,  PAUSE,  "advised to by an answer to a change"             },
    { PAUSE,  OVER,   "advised to stop by an answer to a change"        },
    { PAUSE,  ASLEEP, "put to sleep"                                    },

    { ASLEEP, SHAKE,  "woken, there is no session"                      },
    { ASLEEP, SUBS,   "woken, the session is not subscribed"            },
    { ASLEEP, HOLD,   "woken"                                           },

    { OVER,   ASLEEP, "put to sleep, to begin anew"                     },
};

const char *sr_push_change(enum sr_push_state from, enum sr_push_state to)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        if (changes[i].from == from && changes[i].to == to)
            return changes[i].why;
    return NULL;
}

const char *sr_push_state_name(enum sr_push_state state)
{
    static const char *const names[SR_PUSH_STATES] = {
        "idle",       "handshake", "subscribe", "connect",
        "delivering", "pause",     "asleep",    "over",
    };

    return (unsigned)state < SR_PUSH_STATES ? names[state] : "?";
}
