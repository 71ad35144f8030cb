/* SPDX-License-Identifier: MIT */
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <stdlib.h>

static struct sr_loop *loop;
static struct sr_mqtt *mqtt;

static void on_up(void *arg)
{
    const struct sr_mqtt_message hello = { "plant/1/door", "open", 4, 1, false };

    (void)arg;
    sr_mqtt_publish(mqtt, &hello, NULL, NULL);
}

static void on_down(void *arg, bool was_up, const char *reason)
{
    (void)arg;
    (void)was_up;
    fprintf(stderr, "%s\n", reason); /* it is tried again */
}

static void on_door(void *arg, const struct sr_mqtt_message *message)
{
    (void)arg;
    printf("%s: %s\n", message->topic, message->payload);
    sr_loop_stop(loop);
}

int main(int argc, char **argv)
{
    const struct sr_mqtt_events events = { .up = on_up, .down = on_down };
    const struct sr_mqtt_message will = { "plant/1/door", "lost", 4, 1, true };
    struct sr_mqtt_options options = { .host = "127.0.0.1",
                                       .keepalive_s = 60,
                                       .will = &will };
    int rc = sr_loop_new(&loop);

    if (argc > 1)
        options.port = (uint16_t)atoi(argv[1]);
    if (!rc)
        rc = sr_mqtt_new(loop, &options, &events, NULL, &mqtt);
    if (!rc)
        rc = sr_mqtt_subscribe(mqtt, "plant/+/door", 1, on_door, NULL);
    if (!rc)
        rc = sr_mqtt_connect(mqtt);
    if (!rc)
        rc = sr_loop_run(loop);
    sr_mqtt_free(mqtt); /* says goodbye: no will */
    sr_loop_free(loop);
    return rc != 0;
}
