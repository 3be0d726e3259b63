/*  A host loads the library with dlopen(3), uses it and unloads it, again and again: no thread,
    descriptor or memory is left, and a fork after that is clean. The program is not linked with
    the library: `NN_LIBRARY` names the file. */

#include "../lib/plain.h"
#include <dlfcn.h>

#define WARM_UP 20

struct library {
    void *handle;
    int (*socket) (int domain, int protocol);
    int (*bind) (int s, const char *address);
    int (*connect) (int s, const char *address);
    int (*send) (int s, const void *bytes, size_t size, int flags);
    int (*recv) (int s, void *bytes, size_t size, int flags);
    int (*option) (int s, int level, int option, void *value, size_t *size);
    int (*close) (int s);
};

static void *symbol (void *handle, const char *name)
{
    void *found = dlsym (handle, name);
    if (!found)
        fail ("%s", dlerror ());
    return found;
}

static struct library load (const char *file)
{
    void *handle = dlopen (file, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        fail ("%s", dlerror ());
    struct library library = { handle, symbol (handle, "nn_socket"),
        symbol (handle, "nn_bind"), symbol (handle, "nn_connect"),
        symbol (handle, "nn_send"), symbol (handle, "nn_recv"),
        symbol (handle, "nn_getsockopt"), symbol (handle, "nn_close") };
    return library;
}

/*  As `check`, which would ask the library for the error. */
#define must(truth)                                                            \
    do {                                                                       \
        if (!(truth))                                                          \
            fail ("not true: %s", #truth);                                     \
    } while (0)

static void exchange (struct library *nn, const char *transport)
{
    char address[NN_SOCKADDR_MAX], text[8];
    int descriptor = -1;
    size_t size = sizeof (descriptor);
    int a = nn->socket (AF_SP, NN_PAIR), b = nn->socket (AF_SP, NN_PAIR);
    must (a >= 0 && b >= 0);
    must (nn->bind (a, fresh_address (transport, address)) >= 0);
    must (nn->connect (b, address) >= 0);
    must (nn->option (a, NN_SOL_SOCKET, NN_RCVFD, &descriptor, &size) == 0);
    must (nn->send (b, "x", 1, 0) == 1);
    must (nn->recv (a, text, sizeof (text), 0) == 1);
    must (nn->send (a, "yy", 2, 0) == 2);
    must (nn->recv (b, text, sizeof (text), 0) == 2);
    must (nn->close (a) == 0 && nn->close (b) == 0);
}

static void *use (void *library)
{
    exchange (library, "inproc");
    exchange (library, "ipc");
    exchange (library, "tcp");
    exchange (library, "ws");
    return NULL;
}

/*  Uses the library in a thread of its own, or in the main thread. */
static void once (const char *file, int in_thread)
{
    struct library library = load (file);
    if (in_thread)
        join_thread (start_thread (use, &library));
    else
        use (&library);
    if (dlclose (library.handle) != 0)
        fail ("%s", dlerror ());
}

static int is_loaded (void)
{
    char line[512];
    int found = 0;
    FILE *maps = fopen ("/proc/self/maps", "re");
    must (maps != NULL);
    while (fgets (line, sizeof (line), maps))
        found |= strstr (line, "libnanomsg") != NULL;
    fclose (maps);
    return found;
}

static void repeat (const char *file, int count, int in_thread)
{
    int threads = 0, descriptors = 0;
    long resident = 0, size = 0;
    for (int i = 0; i < count; i++) {
        once (file, in_thread);
        wait_until (count_threads () == 1);
        if (i == WARM_UP) {
            threads = count_threads ();
            descriptors = count_descriptors ();
            resident = memory_kib ("VmRSS");
            size = memory_kib ("VmSize");
        }
    }
    must (count_threads () == threads && count_descriptors () == descriptors);
    long grown = memory_kib ("VmRSS") - resident;
    say ("loaded and unloaded %d times, used %s: threads %+d, descriptors %+d, resident "
         "%+ld KiB, address space %+ld KiB, mapped at the end: %s",
        count, in_thread ? "in a thread" : "in the main thread", count_threads () - threads,
        count_descriptors () - descriptors, grown, memory_kib ("VmSize") - size,
        is_loaded () ? "yes" : "no");
    must (grown < 2048);
    must (!in_thread || !is_loaded ()); /* a thread that waits for work does not keep it loaded */
    pid_t child = start_process ();
    if (child == 0) {
        once (file, in_thread);
        _exit (0);
    }
    join_process (child);
}

int main (void)
{
    const char *file = getenv ("NN_LIBRARY"), *times = getenv ("UNLOADS");
    int count = times ? atoi (times) : 100;
    must (file != NULL && count > WARM_UP && !is_loaded ());
    repeat (file, count, 1);
    repeat (file, count, 0);
    return 0;
}
