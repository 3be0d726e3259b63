/*  The function for random bytes that Rust's standard library calls in a Windows library
    which the wine of Debian 12 lacks. On Windows, .ci/windows uses the real one. */

#include <stddef.h>

/*  The older name of the function, in another library.  */
unsigned char __stdcall SystemFunction036 (void *place, unsigned long length);

__declspec (dllexport) int ProcessPrng (void *place, size_t length)
{
    return SystemFunction036 (place, (unsigned long) length);
}
