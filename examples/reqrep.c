/*  Requests and replies.

    One process serves, and any number of clients ask. The library returns each answer to the client that asked, sends a
    request again when the server disconnects, and distributes requests over several servers.

        reqrep serve tcp://127.0.0.1:5555
        reqrep ask   tcp://127.0.0.1:5555 Norway Peru  */

#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 10000

static void die(const char *what)
{
    fprintf(stderr, "reqrep: %s: %s\n", what, nn_strerror(nn_errno()));
    exit(EXIT_FAILURE);
}

static const char *capital_of(const char *country)
{
    static const char *const capitals[][2] = {
        {"Chile", "Santiago"}, {"Kenya", "Nairobi"}, {"Norway", "Oslo"}, {"Peru", "Lima"}};
    size_t i;

    for (i = 0; i < sizeof capitals / sizeof capitals[0]; i++)
        if (strcmp(capitals[i][0], country) == 0)
            return capitals[i][1];
    return "never heard of it";
}

/*  Answers until it is stopped.  */
static void serve(const char *address)
{
    int sock = nn_socket(AF_SP, NN_REP);

    if (sock < 0)
        die("nn_socket");
    if (nn_bind(sock, address) < 0)
        die(address);
    for (;;) {
        /*  With NN_MSG the library allocates the buffer, so that a message of any length fits.  */
        char *request;
        int length = nn_recv(sock, &request, NN_MSG, 0);
        const char *question = "nothing", *answer = "ask with a text, please";

        if (length < 0)
            die("nn_recv");
        if (length > 0 && request[length - 1] == '\0') {
            question = request;
            answer = capital_of(request);
        }
        printf("  server | asked for %s, answers: %s\n", question, answer);
        nn_freemsg(request);
        if (nn_send(sock, answer, strlen(answer) + 1, 0) < 0)
            die("nn_send");
    }
}

static void ask(const char *address, char **countries)
{
    int sock = nn_socket(AF_SP, NN_REQ);
    int timeout = TIMEOUT_MS;

    if (sock < 0)
        die("nn_socket");
    if (nn_setsockopt(sock, NN_SOL_SOCKET, NN_RCVTIMEO, &timeout, sizeof timeout) < 0 ||
        nn_setsockopt(sock, NN_SOL_SOCKET, NN_SNDTIMEO, &timeout, sizeof timeout) < 0)
        die("nn_setsockopt");
    /*  The server may start later: the connection is made as soon as it is there.  */
    if (nn_connect(sock, address) < 0)
        die(address);
    for (; *countries != NULL; countries++) {
        char *answer;

        printf("  client | what is the capital of %s?\n", *countries);
        if (nn_send(sock, *countries, strlen(*countries) + 1, 0) < 0)
            die("the request cannot be sent");
        if (nn_recv(sock, &answer, NN_MSG, 0) < 0)
            die("no answer");
        printf("  client | %s: %s\n", *countries, answer);
        nn_freemsg(answer);
    }
    if (nn_close(sock) < 0)
        die("nn_close");
}

int main(int argc, char **argv)
{
    /*  Line by line, even into a file, so that the lines of both processes are in the order of events.  */
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);

    if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        serve(argv[2]);
    } else if (argc > 3 && strcmp(argv[1], "ask") == 0) {
        ask(argv[2], argv + 3);
    } else {
        fprintf(stderr, "usage: reqrep serve ADDRESS\n       reqrep ask ADDRESS COUNTRY...\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
