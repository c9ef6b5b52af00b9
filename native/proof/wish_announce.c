/* Announced changes: no fault for any announcements and any state whose slow parts are as smooth.c leaves them. */
#include "wish.h"

#include "../announce.c"

void prove_announced(void)
{
    ANY_CYCLE;
    tw_wish_state_t state;
    GIVEN(slow_within(&state, 4 * TW_LOAD_LIMIT_W));
    const tw_wish_state_t before = state;
    int64_t announced_w = tw_announced_w(&state, &now);
    HOLDS(among(-ANNOUNCED_LIMIT_W, announced_w, ANNOUNCED_LIMIT_W), "what is announced is bounded");
    HOLDS(slow_within(&state, 5 * TW_LOAD_LIMIT_W), "the slow parts move by what the meter shows");
    HOLDS(smooth_kept(&before, &state), "smoothing's own state is left alone");
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}
