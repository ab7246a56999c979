// Functions of one number whose bits are the same on every processor and with every C library: what training computes
// with, wherever the vectors of kernels.h are too wide. libm's functions are not: it chooses among several by the
// processor, and its versions differ in the last digit.
//
// All are made of + − · / and whole numbers, which IEEE 754 rounds in one way only, and are compiled without
// contraction. Errors are in units in the last place of the true value. NaN gives NaN. Pure and thread-safe.
#ifndef PILOTHOUSE_TRAINER_KERNELS_SCALAR_FUNCTIONS_H_
#define PILOTHOUSE_TRAINER_KERNELS_SCALAR_FUNCTIONS_H_

namespace pilothouse::trainer::fixed {

// The natural logarithm, within 1 unit; of 0 −infinity, of numbers below NaN, of infinity infinity.
//
// x = 2^k·(1 + f) with √½ <= 1 + f < √2, and log(1 + f) = 2·artanh s = 2·(s + s³/3 + s⁵/5 + …) with s = f / (2 + f)
// (Cody and Waite 1980, "Software Manual for the Elementary Functions").
double Log(double x);
// Within 0.53 units of float.
float Log(float x);

// log(1 + x) for x from 0 to 1, within 2 units, by the same series without a reduction; beyond that range it has no
// meaning.
double LogOnePlus(double x);
// Within 0.51 units of float.
float LogOnePlus(float x);

// e^x, within 1 unit where that is not denormal.
//
// x = n·ln 2 + r with a whole n and |r| <= ln 2 / 2, and e^r by its power series.
double Exp(double x);

// 1 − xⁿ for x from 0 to 1 and n >= 0, within 4 units: 1 less a power would lose the digits of a power near 1. It is
// 1 − e^(n·log x), with e^r − 1 summed without the 1.
double OneMinusPower(double x, double n);

// x^y for x > 0 and y >= 0. x to the whole part of y is multiplied by squaring, so that x¹ is x and powers of powers of
// two are exact; the rest is e^(rest·log x). Errs by at most 3 + 2·y + 8·|log x| units where neither the result nor a
// factor of it is denormal or infinite.
double Power(double x, double y);

// The cosine and the sine of an angle in whole turns, cos 2πt and sin 2πt, for |t| <= 2⁵⁰, beyond which they are NaN.
// Within 2 units; multiples of a quarter give −1, 0 and 1.
//
// t less the nearest quarter is exact, and for the rest, at most an eighth, the power series serve.
double CosOfTurns(double t);
double SinOfTurns(double t);

}  // namespace pilothouse::trainer::fixed

#endif  // PILOTHOUSE_TRAINER_KERNELS_SCALAR_FUNCTIONS_H_
