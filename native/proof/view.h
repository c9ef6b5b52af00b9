/* What the guard shows the clever half, by its ranges (door.h): `step` shows that it holds, the proofs of the clever half count on it. */
#ifndef TW_PROOF_VIEW_H
#define TW_PROOF_VIEW_H

#include "../door.h"

static inline bool view_fits(const tw_view_t *view)
{
    const int64_t limit_w = INT64_C(9) * TW_POWER_LIMIT_W;
    return view->net_load_w >= -limit_w && view->net_load_w <= limit_w && view->before_w >= -limit_w && view->before_w <= limit_w
        && view->power_w >= -limit_w && view->power_w <= limit_w && view->band_min_w >= -limit_w && view->band_min_w <= 0
        && view->band_max_w >= 0 && view->band_max_w <= limit_w && view->dt_ms >= 0 && view->dt_ms <= 2000
        && view->pcs_age_ms >= 0 && view->soc_cpct >= 0 && view->soc_cpct <= 10000 && (!view->full || view->usable);
}

#endif
