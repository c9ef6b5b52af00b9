/* The one division by a variable in the guard. It stands alone so that it can be proved alone; whatever it answers, its callers
 * clamp. */
#include "inner.h"

int64_t tw_part(int64_t whole, int64_t part, int64_t of)
{
    return of > 0 ? whole * part / of : 0;
}
