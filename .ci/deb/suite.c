/* Four tests for criterion: two pass, one fails, one crashes. */
#include <signal.h>

#include <criterion/criterion.h>

Test(arithmetic, adds) { cr_assert_eq(1 + 1, 2); }

Test(arithmetic, multiplies) { cr_assert_eq(2 * 3, 6); }

Test(arithmetic, errs) { cr_assert_eq(1, 2, "one is not two"); }

Test(arithmetic, crashes) { raise(SIGSEGV); }
