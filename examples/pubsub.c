/*  A publisher with two subscribers, inside one process.

    The publisher sends each message to all connected peers; a subscriber receives those that begin with one of its
    subscriptions. The publisher never waits: a peer that is not connected yet, or is too slow, misses messages. Over
    inproc nn_connect makes the connection before it returns, so in this program no message is missed.  */

#include <nanomsg/nn.h>
#include <nanomsg/inproc.h>
#include <nanomsg/pubsub.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS "inproc://news"
#define TIMEOUT_MS 10000

/*  All subscribers subscribe to this too: it is the last message.  */
#define END "the end"

static void die(const char *what)
{
    fprintf(stderr, "pubsub: %s: %s\n", what, nn_strerror(nn_errno()));
    exit(EXIT_FAILURE);
}

static int new_publisher(void)
{
    int sock = nn_socket(AF_SP, NN_PUB);

    if (sock < 0)
        die("nn_socket");
    if (nn_bind(sock, ADDRESS) < 0)
        die(ADDRESS);
    return sock;
}

static int new_subscriber(const char *topic)
{
    int sock = nn_socket(AF_SP, NN_SUB);
    int timeout = TIMEOUT_MS;

    if (sock < 0)
        die("nn_socket");
    /*  A subscription is the beginning of a message, without a NUL. An empty one would receive every message.  */
    if (nn_setsockopt(sock, NN_SUB, NN_SUB_SUBSCRIBE, topic, strlen(topic)) < 0 ||
        nn_setsockopt(sock, NN_SUB, NN_SUB_SUBSCRIBE, END, strlen(END)) < 0 ||
        nn_setsockopt(sock, NN_SOL_SOCKET, NN_RCVTIMEO, &timeout, sizeof timeout) < 0)
        die("nn_setsockopt");
    if (nn_connect(sock, ADDRESS) < 0)
        die(ADDRESS);
    return sock;
}

static void publish(int sock, const char *text)
{
    if (nn_send(sock, text, strlen(text) + 1, 0) < 0)
        die("nn_send");
}

static void read_all(int sock, const char *name)
{
    for (;;) {
        char *text;
        int end;

        if (nn_recv(sock, &text, NN_MSG, 0) < 0)
            die("nn_recv");
        end = strcmp(text, END) == 0;
        if (!end)
            printf("  %-8s | %s\n", name, text);
        nn_freemsg(text);
        if (end)
            return;
    }
}

int main(void)
{
    static const char *const news[] = {
        "weather: rain in the west", "sport: the home team wins", "weather: sun in the east", "traffic: all clear"};
    int publisher = new_publisher();
    int sailor = new_subscriber("weather");
    int fan = new_subscriber("sport");
    size_t i;

    for (i = 0; i < sizeof news / sizeof news[0]; i++) {
        printf("  sends    | %s\n", news[i]);
        publish(publisher, news[i]);
    }
    publish(publisher, END);

    read_all(sailor, "sailor");
    read_all(fan, "fan");

    if (nn_close(fan) < 0 || nn_close(sailor) < 0 || nn_close(publisher) < 0)
        die("nn_close");
    return EXIT_SUCCESS;
}
