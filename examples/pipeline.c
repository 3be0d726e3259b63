/*  A pipeline: work is sent out, and results come back.

    The producer pushes numbers; workers pull them, find their prime factors and push the results to the producer's
    second address. Each number goes to exactly one worker, to all of them in turn. The producer waits for a message
    from each worker before it begins, and then has one number per worker in progress.

        pipeline produce ipc:///tmp/work ipc:///tmp/results 2 1001 1024 65537 ...
        pipeline work    ipc:///tmp/work ipc:///tmp/results anna
        pipeline work    ipc:///tmp/work ipc:///tmp/results ben  */

#include <nanomsg/nn.h>
#include <nanomsg/pipeline.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 10000
#define TEXT_SIZE 512

static void die(const char *what)
{
    fprintf(stderr, "pipeline: %s: %s\n", what, nn_strerror(nn_errno()));
    exit(EXIT_FAILURE);
}

static int new_socket(int protocol)
{
    int sock = nn_socket(AF_SP, protocol);

    if (sock < 0)
        die("nn_socket");
    return sock;
}

static void send_text(int sock, const char *text)
{
    if (nn_send(sock, text, strlen(text) + 1, 0) < 0)
        die("nn_send");
}

/*  nn_recv returns the full length of the message even if it does not fit: a longer one is not from this program.  */
static void receive_text(int sock, char text[TEXT_SIZE])
{
    int length = nn_recv(sock, text, TEXT_SIZE, 0);

    if (length < 0)
        die("nn_recv");
    if (length == 0 || length > TEXT_SIZE || text[length - 1] != '\0') {
        fprintf(stderr, "pipeline: received something that is not a text of at most %d bytes\n", TEXT_SIZE - 1);
        exit(EXIT_FAILURE);
    }
}

static void print_next(int results)
{
    char text[TEXT_SIZE];

    receive_text(results, text);
    printf("  producer | %s\n", text);
}

static void run_producer(const char *work_address, const char *results_address, int workers, char **numbers, int count)
{
    int work = new_socket(NN_PUSH);
    int results = new_socket(NN_PULL);
    int timeout = TIMEOUT_MS;
    int sent, done;

    if (nn_setsockopt(work, NN_SOL_SOCKET, NN_SNDTIMEO, &timeout, sizeof timeout) < 0 ||
        nn_setsockopt(results, NN_SOL_SOCKET, NN_RCVTIMEO, &timeout, sizeof timeout) < 0)
        die("nn_setsockopt");
    if (nn_bind(work, work_address) < 0)
        die(work_address);
    if (nn_bind(results, results_address) < 0)
        die(results_address);

    for (done = 0; done < workers; done++)
        print_next(results);
    for (sent = 0; sent < workers && sent < count; sent++)
        send_text(work, numbers[sent]);
    for (done = 0; done < count; done++) {
        print_next(results);
        if (sent < count)
            send_text(work, numbers[sent++]);
    }
    if (nn_close(work) < 0 || nn_close(results) < 0)
        die("nn_close");
}

/*  Appends "N = a x b x c" to the text.  */
static void factorise(unsigned long number, char *text)
{
    unsigned long rest = number, factor = 2;

    text += sprintf(text, "%lu =", number);
    while (factor <= rest / factor) {
        if (rest % factor == 0) {
            text += sprintf(text, " %lu x", factor);
            rest /= factor;
        } else {
            factor++;
        }
    }
    sprintf(text, " %lu", rest);
}

/*  Works until it is stopped.  */
static void run_worker(const char *work_address, const char *results_address, const char *name)
{
    int work = new_socket(NN_PULL);
    int results = new_socket(NN_PUSH);
    char text[TEXT_SIZE];

    if (nn_connect(work, work_address) < 0)
        die(work_address);
    if (nn_connect(results, results_address) < 0)
        die(results_address);

    sprintf(text, "%.32s is there", name);
    send_text(results, text);
    for (;;) {
        char number[TEXT_SIZE];

        receive_text(work, number);
        sprintf(text, "%.32s found ", name);
        factorise(strtoul(number, NULL, 10), text + strlen(text));
        send_text(results, text);
    }
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);

    if (argc > 5 && strcmp(argv[1], "produce") == 0) {
        run_producer(argv[2], argv[3], atoi(argv[4]), argv + 5, argc - 5);
    } else if (argc == 5 && strcmp(argv[1], "work") == 0) {
        run_worker(argv[2], argv[3], argv[4]);
    } else {
        fprintf(stderr, "usage: pipeline produce WORK RESULTS WORKERS NUMBER...\n"
                        "       pipeline work WORK RESULTS NAME\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
