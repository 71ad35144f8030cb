/* SPDX-License-Identifier: MIT */
#include "reporter/states.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

#define NEW     SR_LINK_NEW
#define WAITING SR_LINK_WAITING
#define DOWN    SR_LINK_DOWN
#define TRYING  SR_LINK_TRYING
#define UP      SR_LINK_UP
#define OVER    SR_LINK_OVER

static const struct sr_change link_changes[] = {
    {NEW,      WAITING, "started"                                                    },
    { NEW,     OVER,    "freed before it was started"                                },

    { WAITING, UP,      "connected; or HTTP, which has nothing to connect"           },
    { WAITING, DOWN,    "the first connection failed"                                },
    { WAITING, OVER,    "freed"                                                      },

    { DOWN,    UP,      "connected again"                                            },
    { DOWN,    TRYING,  "the pause is over: the next request shows who answers"      },
    { DOWN,    DOWN,    "another attempt failed"                                     },
    { DOWN,    OVER,    "freed"                                                      },

    { TRYING,  UP,      "a request was taken"                                        },
    { TRYING,  DOWN,    "that failed, too"                                           },
    { TRYING,  OVER,    "freed"                                                      },

    { UP,      DOWN,    "the connection was lost, or a request failed or was refused"},
    { UP,      OVER,    "freed"                                                      },
};

#define FREE   SR_PACE_FREE
#define SEARCH SR_PACE_SEARCHING
#define PROBE  SR_PACE_PROBING
#define PAUSE  SR_PACE_PAUSING
#define ASLEEP SR_PACE_ASLEEP

static const struct sr_change pace_changes[] = {
    {FREE,    SEARCH,
     "a payload was refused, or dropped more often than the line explains"     },
    { FREE,   PROBE,  "the platform does not know the collection or the device"},
    { FREE,   PAUSE,  "an answer says that nothing was taken"                  },
    { FREE,   ASLEEP, "put to sleep"                                           },

    { SEARCH, FREE,   "the row was found, or there is none"                    },
    { SEARCH, PROBE,  "the platform does not know the collection or the device"},
    { SEARCH, PAUSE,  "an answer says that nothing was taken"                  },
    { SEARCH, ASLEEP, "put to sleep"                                           },

    { PROBE,  FREE,   "the platform knows it again"                            },
    { PROBE,  SEARCH, "the platform knows it again, and the search goes on"    },
    { PROBE,  PAUSE,  "the row has gone"                                       },
    { PROBE,  ASLEEP, "put to sleep"                                           },

    { PAUSE,  FREE,   "the pause is over"                                      },
    { PAUSE,  SEARCH, "the pause is over, and the search goes on"              },
    { PAUSE,  PROBE,  "the pause is over, and it is not known again"           },
    { PAUSE,  ASLEEP, "put to sleep"                                           },

    { ASLEEP, FREE,   "woken"                                                  },
    { ASLEEP, SEARCH, "woken in a search"                                      },
    { ASLEEP, PROBE,
     "woken, and the platform does not know the collection or the device"      },
    { ASLEEP, PAUSE,  "woken in a pause"                                       },
};

const struct sr_change *sr_link_changes(size_t *ret_count)
{
    *ret_count = COUNT(link_changes);
    return link_changes;
}

const struct sr_change *sr_pace_changes(size_t *ret_count)
{
    *ret_count = COUNT(pace_changes);
    return pace_changes;
}

static const struct sr_change *find(const struct sr_change *changes, size_t count,
                                    unsigned from, unsigned to)
{
    for (size_t i = 0; i < count; i++)
        if (changes[i].from == from && changes[i].to == to)
            return &changes[i];
    return NULL;
}

const struct sr_change *sr_link_change(enum sr_link from, enum sr_link to)
{
    return find(link_changes, COUNT(link_changes), from, to);
}

const struct sr_change *sr_pace_change(enum sr_pace from, enum sr_pace to)
{
    return find(pace_changes, COUNT(pace_changes), from, to);
}

const char *sr_link_name(enum sr_link link)
{
    static const char *const names[SR_LINKS] = { "new",    "waiting", "down",
                                                 "trying", "up",      "over" };

    return (unsigned)link < SR_LINKS ? names[link] : "?";
}

const char *sr_pace_name(enum sr_pace pace)
{
    static const char *const names[SR_PACES] = { "free", "searching", "probing",
                                                 "pausing", "asleep" };

    return (unsigned)pace < SR_PACES ? names[pace] : "?";
}
