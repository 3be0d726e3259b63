/*  nn_symbol and nn_symbol_info: the same names in the same order, with the same
    values, namespaces, types and units. Behind them, ours has names of its own. */

#include "../lib/test.h"

/*  How many symbols both libraries have. Those that only ours has follow. */
#define COMMON 121

int main (void)
{
    const char *name;
    int value, count = 0;
    struct nn_symbol_properties info;
    for (; (name = nn_symbol (count, &value)); count++) {
        int size = nn_symbol_info (count, &info, sizeof (info));
        check (size == sizeof (info));
        check (strcmp (info.name, name) == 0 && info.value == value);
        /*  Each library has its own version of the interface. */
        if (strncmp (name, "NN_VERSION_", 11) == 0)
            value = 0;
        if (count < COMMON)
            say ("%d: %s = %d, namespace %d, type %d, unit %d", count, name, value, info.ns,
                info.type, info.unit);
    }
    check (on_reference () ? count == COMMON : count > COMMON);
    for (int i = count; i < count + 3; i++) {
        errno = 0;
        name = nn_symbol (i, &value);
        say ("past the end: %s, %s", name ? name : "NULL", error_name (nn_errno ()));
        say ("  info: %d", nn_symbol_info (i, &info, sizeof (info)));
    }
    errno = 0;
    name = nn_symbol (-1, &value);
    say ("-1: %s, %s", name ? name : "NULL", error_name (nn_errno ()));
    say ("  info: %d", nn_symbol_info (-1, &info, sizeof (info)));

    memset (&info, 0x55, sizeof (info));
    say ("into 4 bytes: %d", nn_symbol_info (0, &info, 4));
    say ("  the rest is untouched: %d", info.ns == 0x55555555 && info.unit == 0x55555555);
    char large[100];
    memset (large, 0x55, sizeof (large));
    say ("into more than it needs: %d",
        nn_symbol_info (0, (struct nn_symbol_properties *) large, sizeof (large)) == sizeof (info));
    say ("  the rest is untouched: %d", large[sizeof (info)] == 0x55);
    say ("the value not wanted: %s", nn_symbol (0, NULL));
    if (only_ours ("it crashes on NULL"))
        check (nn_symbol_info (0, NULL, sizeof (info)) == 0);
    return 0;
}
