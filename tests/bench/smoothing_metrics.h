/* The metrics of a smoothed load; double precision, the definitions are those of smoothing.py's table. */
#ifndef SMOOTHING_METRICS_H
#define SMOOTHING_METRICS_H

#include <math.h>
#include <stdlib.h>

typedef struct {
    double b0, b1, b2, a1, a2, z1, z2;
} biquad_t;

static const double PI = 3.14159265358979323846;

/* Second-order Butterworth by the bilinear transform. */
static biquad_t butterworth(double corner_hz, double step_s, int high)
{
    double k = tan(PI * corner_hz * step_s);
    double norm = 1 / (1 + sqrt(2) * k + k * k);
    biquad_t f = {0};
    f.b0 = high ? norm : k * k * norm;
    f.b1 = high ? -2 * norm : 2 * k * k * norm;
    f.b2 = f.b0;
    f.a1 = 2 * (k * k - 1) * norm;
    f.a2 = (1 - sqrt(2) * k + k * k) * norm;
    return f;
}

static double filter(biquad_t *f, double x)
{
    double y = f->b0 * x + f->z1;
    f->z1 = f->b1 * x - f->a1 * y + f->z2;
    f->z2 = f->b2 * x - f->a2 * y;
    return y;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Largest (which > 0) or p99 peak-to-peak of any window of `width` samples, looked at in steps of `step`. */
static double peak_to_peak(const double *x, int count, int width, int step, double quantile)
{
    int windows = (count - width) / step + 1;
    if (windows < 1) {
        return 0;
    }
    double *found = malloc(sizeof(double) * (size_t)windows);
    int *low = malloc(sizeof(int) * (size_t)count), *high = malloc(sizeof(int) * (size_t)count);
    int low_head = 0, low_tail = 0, high_head = 0, high_tail = 0, n = 0;
    for (int i = 0; i < count; i++) {
        while (low_tail > low_head && x[low[low_tail - 1]] >= x[i]) {
            low_tail--;
        }
        low[low_tail++] = i;
        while (high_tail > high_head && x[high[high_tail - 1]] <= x[i]) {
            high_tail--;
        }
        high[high_tail++] = i;
        low_head += low[low_head] <= i - width;
        high_head += high[high_head] <= i - width;
        if (i >= width - 1 && (i - width + 1) % step == 0 && n < windows) {
            found[n++] = x[high[high_head]] - x[low[low_head]];
        }
    }
    qsort(found, (size_t)n, sizeof(double), by_value);
    double result = found[(int)(quantile * (n - 1))];
    free(found), free(low), free(high);
    return result;
}

/* 0.1 Hz high-pass, forwards and backwards (no phase); 5 s windows. */
static double w5(const double *x, int count, double step_s, double quantile)
{
    double *y = malloc(sizeof(double) * (size_t)count);
    biquad_t f = butterworth(0.1, step_s, 1);
    for (int i = 0; i < count; i++) {
        y[i] = filter(&f, x[i] - x[0]);
    }
    f = butterworth(0.1, step_s, 1);
    double last = y[count - 1];
    for (int i = count - 1; i >= 0; i--) {
        y[i] = filter(&f, y[i] - last);
    }
    double result = peak_to_peak(y, count, (int)(5 / step_s), (int)(0.05 / step_s), quantile);
    free(y);
    return result;
}

/* Means of one second. */
static int seconds(const double *x, int count, double step_s, double *mean)
{
    int per = (int)(1 / step_s + 0.5), n = count / per;
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < per; j++) {
            sum += x[i * per + j];
        }
        mean[i] = sum / per;
    }
    return n;
}

static double ramp(const double *mean, int n, int span)
{
    double most = 0;
    for (int i = span; i < n; i++) {
        most = fmax(most, fabs(mean[i] - mean[i - span]));
    }
    return most;
}

static void fft(double *re, double *im, int n)
{
    for (int i = 1, j = 0; i < n; i++) {
        int bit = n >> 1;
        for (; j & bit; bit >>= 1) {
            j ^= bit;
        }
        j ^= bit;
        if (i < j) {
            double t = re[i];
            re[i] = re[j], re[j] = t, t = im[i], im[i] = im[j], im[j] = t;
        }
    }
    for (int len = 2; len <= n; len <<= 1) {
        double wr = cos(-2 * PI / len), wi = sin(-2 * PI / len);
        for (int i = 0; i < n; i += len) {
            double cr = 1, ci = 0;
            for (int j = i; j < i + len / 2; j++) {
                int k = j + len / 2;
                double xr = re[k] * cr - im[k] * ci, xi = re[k] * ci + im[k] * cr;
                re[k] = re[j] - xr, im[k] = im[j] - xi, re[j] += xr, im[j] += xi;
                double next = cr * wr - ci * wi;
                ci = cr * wi + ci * wr, cr = next;
            }
        }
    }
}

enum { SEGMENT = 16384, BANDS = 6 };
static const double BAND_HZ[BANDS][2] = {{0.01, 0.1}, {0.1, 0.3}, {0.3, 1}, {1, 3}, {3, 20}, {0.1, 20}};

/* Power per band, Hann windows that overlap by half. */
static void spectrum(const double *x, int count, double step_s, double power[BANDS])
{
    double *re = malloc(sizeof(double) * SEGMENT), *im = malloc(sizeof(double) * SEGMENT);
    for (int at = 0; at + SEGMENT <= count; at += SEGMENT / 2) {
        double mean = 0;
        for (int i = 0; i < SEGMENT; i++) {
            mean += x[at + i] / SEGMENT;
        }
        for (int i = 0; i < SEGMENT; i++) {
            re[i] = (x[at + i] - mean) * (0.5 - 0.5 * cos(2 * PI * i / SEGMENT));
            im[i] = 0;
        }
        fft(re, im, SEGMENT);
        for (int i = 1; i < SEGMENT / 2; i++) {
            double f = i / (SEGMENT * step_s);
            for (int b = 0; b < BANDS; b++) {
                power[b] += f >= BAND_HZ[b][0] && f < BAND_HZ[b][1] ? re[i] * re[i] + im[i] * im[i] : 0;
            }
        }
    }
    free(re), free(im);
}

/* Worst residual / load RMS in 0.2 to 2 Hz over any 60 s in which the load moves (RMS of at least 0.5 % of 1 MW), and the
 * most that the battery adds (W) in windows where it does not: there a ratio says nothing. */
static void harm(const double *load, const double *grid, int count, double step_s)
{
    biquad_t f[4] = {butterworth(0.2, step_s, 1), butterworth(2, step_s, 0), butterworth(0.2, step_s, 1),
                     butterworth(2, step_s, 0)};
    double *l2 = calloc((size_t)count + 1, sizeof(double)), *g2 = calloc((size_t)count + 1, sizeof(double));
    for (int i = 0; i < count; i++) {
        double l = filter(&f[1], filter(&f[0], load[i] - load[0]));
        double g = filter(&f[3], filter(&f[2], grid[i] - load[0]));
        l2[i + 1] = l2[i] + l * l;
        g2[i + 1] = g2[i] + g * g;
    }
    int width = (int)(60 / step_s), step = (int)(1 / step_s);
    double worst = 0, added = 0, at_s = 0;
    for (int i = 0; i + width <= count; i += step) {
        double l = sqrt((l2[i + width] - l2[i]) / width), g = sqrt((g2[i + width] - g2[i]) / width);
        if (l < 5000) {
            added = fmax(added, g - l);
        } else if (g / l > worst) {
            worst = g / l;
            at_s = i * step_s;
        }
    }
    printf("harm %.4f\nharm_at_s %.0f\nharm_quiet_w %.0f\n", worst, at_s, added);
    free(l2), free(g2);
}

/* Largest change of the battery within 1 s around a loss of the meter. */
static double lost_step(const double *load, const double *grid, int count, double step_s, double at_s, double length_s)
{
    int from = (int)(at_s / step_s), to = (int)((at_s + length_s + 3) / step_s), second = (int)(1 / step_s);
    double most = 0;
    for (int i = from; i < to && i < count && length_s > 0; i++) {
        most = i >= second ? fmax(most, fabs(grid[i] - load[i] - grid[i - second] + load[i - second])) : most;
    }
    return most;
}

static void metrics(const double *load, const double *grid, const double *soc, int count, int from_s, double step_s,
                    double cycles, const int *import_w)
{
    harm(load, grid, count, step_s); /* from the very start */
    int skip = (int)(from_s / step_s);
    load += skip, grid += skip, soc += skip, count -= skip;
    double *l = malloc(sizeof(double) * (size_t)count), *g = malloc(sizeof(double) * (size_t)count);
    int n = seconds(load, count, step_s, l);
    seconds(grid, count, step_s, g);
    printf("W5_load %.5f\nW5 %.5f\n", w5(load, count, step_s, 0.99) / 1e6, w5(grid, count, step_s, 0.99) / 1e6);
    printf("W5max_load %.5f\nW5max %.5f\n", w5(load, count, step_s, 1) / 1e6, w5(grid, count, step_s, 1) / 1e6);
    printf("R15_load %.5f\nR15 %.5f\n", peak_to_peak(l, n, 16, 1, 1) / 1e6, peak_to_peak(g, n, 16, 1, 1) / 1e6);
    printf("R60_load %.5f\nR60 %.5f\n", peak_to_peak(l, n, 61, 1, 1) / 1e6, peak_to_peak(g, n, 61, 1, 1) / 1e6);
    printf("R10_load %.5f\nR10 %.5f\n", ramp(l, n, 600) / 1e7, ramp(g, n, 600) / 1e7);
    double pl[BANDS] = {0}, pg[BANDS] = {0};
    spectrum(load, count, step_s, pl);
    spectrum(grid, count, step_s, pg);
    for (int b = 0; b < BANDS; b++) {
        printf("B%d %.4f\n", b, pl[b] > 0 ? sqrt(pg[b] / pl[b]) : 0);
    }
    double low = soc[0], high = soc[0], above_s = 0, longest_s = 0, run_s = 0, steepest = 0;
    for (int i = 0; i < count; i++) {
        low = fmin(low, soc[i]);
        high = fmax(high, soc[i]);
        run_s = grid[i] > *import_w * 1.01 ? run_s + step_s : 0;
        above_s += grid[i] > *import_w * 1.01 ? step_s : 0;
        longest_s = fmax(longest_s, run_s);
        steepest = i >= 100 ? fmax(steepest, fabs(grid[i] - load[i] - grid[i - 100] + load[i - 100])) : 0;
    }
    double days = count * step_s / 86400;
    printf("soc_swing %.5f\nsoc_drift_per_day %.5f\n", high - low, (soc[count - 1] - soc[0]) / days);
    printf("cycles_per_day %.3f\nabove_s %.3f\nabove_longest_s %.3f\nbattery_step_1s %.5f\n", cycles / days, above_s,
           longest_s, steepest / 1e6);
    free(l), free(g);
}

#endif
