; A part of a way is not longer than the way: with the integers 0 <= d, 0 <= t, 0 <= u, 0 < t + u, the quotient q of d * t by t + u
; is between 0 and d. Looked for: a counterexample. So what tw_towards answers lies between value and goal, since `towards`
; proves that the C calculates without overflow, and C divides towards zero on both sides of it.
(set-logic QF_NIA)
(declare-const d Int)
(declare-const t Int)
(declare-const u Int)
(declare-const q Int)
(declare-const r Int)
(assert (and (>= d 0) (>= t 0) (>= u 0) (> (+ t u) 0)))
(assert (and (= (+ (* q (+ t u)) r) (* d t)) (<= 0 r) (< r (+ t u))))
(assert (or (< q 0) (> q d)))
(check-sat)
