/*  The files of ipc: a stale file is replaced, one in use is EADDRINUSE, ours is removed when we
    close, another's stays; permissions follow the umask; a folder that is missing, not
    accessible or on a full disk gives an error and has no other effect. The full disk is a small
    tmpfs that the test mounts in a mount namespace of its own. */

#include "../lib/plain.h"
#include <nanomsg/pipeline.h>
#include <sched.h>
#include <sys/mount.h>

static int exists (const char *path)
{
    struct stat status;
    return lstat (path, &status) == 0;
}

static void exchange (const char *address)
{
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    bind_to (pull, address);
    connect_to (push, address);
    send_text (push, "through the file");
    expect_text (pull, "through the file");
    close_socket (push);
    close_socket (pull);
}

/*  A process that binds and is killed leaves its file behind. */
static void stale (void)
{
    int ready[2];
    char byte;
    check (pipe2 (ready, O_CLOEXEC) == 0);
    pid_t child = start_process ();
    if (child == 0) {
        bind_to (open_socket (NN_PULL), "ipc://stale");
        check (write (ready[1], "!", 1) == 1);
        for (;;)
            pause ();
    }
    check (is_readable (ready[0], LIMIT_MS) && read (ready[0], &byte, 1) == 1);
    close (ready[0]);
    close (ready[1]);

    /*  While it lives the address is in use, also if its backlog is full. */
    int s = open_socket (NN_PULL);
    check_error (nn_bind (s, "ipc://stale"), EADDRINUSE);
    close_socket (s);
    int full = plain_listen ("ipc://full");
    check (listen (full, 0) == 0);
    int waiting = plain_connect ("ipc://full");
    s = open_socket (NN_PULL);
    check_error (nn_bind (s, "ipc://full"), EADDRINUSE);
    check (exists ("full"));
    close (waiting);
    close (full);

    kill (child, SIGKILL);
    check (waitpid (child, NULL, 0) == child);
    check (exists ("stale"));
    exchange ("ipc://stale");
    check (!exists ("stale"));
    bind_to (s, "ipc://full");
    close_socket (s);
    check (!exists ("full"));
    say ("a live file is EADDRINUSE, a stale one is taken over, ours is removed");
}

/*  A file that has replaced ours is not removed. */
static void replaced (void)
{
    int ours = open_socket (NN_PULL), theirs = open_socket (NN_PULL);
    bind_to (ours, "ipc://replaced");
    check (unlink ("replaced") == 0);
    bind_to (theirs, "ipc://replaced");
    close_socket (ours);
    check (exists ("replaced"));
    close_socket (theirs);
    check (!exists ("replaced"));

    /*  A file that is not a socket is left alone, and so is the target of a link. */
    int file = open ("plain", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    check (file >= 0 && close (file) == 0 && symlink ("plain", "link") == 0);
    int s = open_socket (NN_PULL);
    check_error (nn_bind (s, "ipc://plain"), EADDRINUSE);
    check_error (nn_bind (s, "ipc://link"), EADDRINUSE);
    close_socket (s);
    check (exists ("plain") && exists ("link"));
    say ("files of others stay");
}

static void permissions (void)
{
    static const mode_t masks[] = { 0, 022, 077, 0117 };
    for (int i = 0; i < 4; i++) {
        struct stat status;
        mode_t before = umask (masks[i]);
        int s = open_socket (NN_PULL);
        bind_to (s, "ipc://mask");
        umask (before);
        check (lstat ("mask", &status) == 0 && S_ISSOCK (status.st_mode));
        if ((status.st_mode & 0777) != (0777 & ~masks[i]))
            fail ("with umask %03o the mode is %03o", masks[i], status.st_mode & 0777);
        close_socket (s);
    }
    say ("permissions follow the umask");
}

static void folders (void)
{
    int s = open_socket (NN_PULL), push = open_patient (NN_PUSH);
    check_error (nn_bind (s, "ipc://missing/file"), ENOENT);
    check_error (nn_bind (s, "ipc://plain/file"), ENOTDIR);
    /*  A dialer goes on trying until there is a listener. */
    connect_to (push, "ipc://missing/file");
    wait_until (nn_get_statistic (push, NN_STAT_CONNECT_ERRORS) > 0);
    check (mkdir ("missing", 0700) == 0);
    bind_to (s, "ipc://missing/file");
    send_text (push, "found");
    expect_text (s, "found");
    close_socket (push);
    close_socket (s);
    say ("a missing folder is ENOENT, and dialers wait for it");
}

/*  The root user may write everywhere, so another user tries. */
static void closed_folder (void)
{
    if (geteuid () != 0) {
        say ("SKIPPED: a folder of another user's: only root can make one");
        return;
    }
    check (mkdir ("closed", 0755) == 0);
    pid_t child = start_process ();
    if (child == 0) {
        int s = open_socket (NN_PULL);
        int folder = open ("closed", O_RDONLY | O_DIRECTORY);
        check (folder >= 0 && fchdir (folder) == 0 && setresuid (65534, 65534, 65534) == 0);
        check_error (nn_bind (s, "ipc://file"), EACCES);
        close_socket (s);
        _exit (0);
    }
    join_process (child);
    say ("a folder that is closed to us is EACCES");
}

/*  In a child: mounts a tiny file system, fills it, and uses it. */
static void full_disk (void)
{
    if (mkdir ("disk", 0700) != 0)
        fail ("mkdir: %s", strerror (errno));
    pid_t child = start_process ();
    if (child == 0) {
        if (unshare (CLONE_NEWNS) != 0 || mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
              || mount ("disk", "disk", "tmpfs", 0, "size=16k,nr_inodes=4") != 0)
            _exit (77);
        check (chdir ("disk") == 0);
        int s = open_socket (NN_PULL), before = open_patient (NN_PULL);
        bind_to (before, "ipc://before");
        for (char name[2] = "a"; mknod (name, S_IFREG | 0600, 0) == 0; name[0]++)
            ;
        check (errno == ENOSPC);
        check_error (nn_bind (s, "ipc://file"), ENOSPC);
        check (!exists ("file"));
        /*  Existing connections go on, and freed space is used. */
        int push = open_patient (NN_PUSH);
        connect_to (push, "ipc://before");
        send_text (push, "on a full disk");
        expect_text (before, "on a full disk");
        check (unlink ("a") == 0);
        bind_to (s, "ipc://file");
        close_socket (push);
        close_socket (before);
        close_socket (s);
        _exit (0);
    }
    int status = 0;
    check (waitpid (child, &status, 0) == child);
    if (WIFEXITED (status) && WEXITSTATUS (status) == 77) {
        say ("SKIPPED: a full disk: this user may not mount one");
        return;
    }
    if (status != 0)
        fail ("on the full disk: status 0x%x", (unsigned) status);
    say ("a full disk is ENOSPC, and sockets that have their file go on");
}

int main (void)
{
    stale ();
    replaced ();
    permissions ();
    folders ();
    closed_folder ();
    full_disk ();
    return 0;
}
