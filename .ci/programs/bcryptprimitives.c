/*  The one function of a Windows library that Rust's standard library calls, and that
    the wine of Debian 12 lacks: random bytes. Whoever runs .ci/windows on Windows has the
    real one. */

#include <stddef.h>

/*  What the function was called before it had a library of its own.  */
unsigned char __stdcall SystemFunction036 (void *place, unsigned long length);

__declspec (dllexport) int ProcessPrng (void *place, size_t length)
{
    return SystemFunction036 (place, (unsigned long) length);
}
