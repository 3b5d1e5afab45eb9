// Butteraugli's kernels, compiled once per instruction set (see butteraugli.h).
#include "butteraugli.h"

#include <math.h>

namespace gradpress {
namespace GRADPRESS_ISA {

static inline float smaller(float a, float b) { return a < b ? a : b; }
static inline float larger(float a, float b) { return a > b ? a : b; }
static inline float within(float v, float limit) { return larger(-limit, smaller(v, limit)); }
static inline float magnitude(float v) { return v < 0 ? -v : v; }
static inline float square(float v) { return v * v; }

#include "blur.h"
#include "opsin.h"
#include "bands.h"
#include "malta.h"
#include "diffmap.h"

}  // namespace GRADPRESS_ISA

#define GRADPRESS_JOIN_OF(a, b) a##b
#define GRADPRESS_JOIN(a, b) GRADPRESS_JOIN_OF(a, b)

const Butteraugli GRADPRESS_JOIN(GRADPRESS_ISA, _butteraugli) = {
    GRADPRESS_ISA::light,
    GRADPRESS_ISA::light_adjoint,
    GRADPRESS_ISA::halve,
    GRADPRESS_ISA::halve_adjoint,
    GRADPRESS_ISA::blur,
    GRADPRESS_ISA::opsin,
    GRADPRESS_ISA::opsin_adjoint,
    GRADPRESS_ISA::split_middle,
    GRADPRESS_ISA::split_middle_adjoint,
    GRADPRESS_ISA::suppress,
    GRADPRESS_ISA::suppress_adjoint,
    GRADPRESS_ISA::split_high,
    GRADPRESS_ISA::split_high_adjoint,
    GRADPRESS_ISA::activity,
    GRADPRESS_ISA::activity_adjoint,
    GRADPRESS_ISA::erode,
    GRADPRESS_ISA::malta_difference,
    GRADPRESS_ISA::malta_difference_adjoint,
    GRADPRESS_ISA::malta,
    GRADPRESS_ISA::malta_adjoint,
    GRADPRESS_ISA::low_errors,
    GRADPRESS_ISA::low_errors_adjoint,
    GRADPRESS_ISA::squares,
    GRADPRESS_ISA::squares_adjoint,
    GRADPRESS_ISA::far_squares,
    GRADPRESS_ISA::far_squares_adjoint,
    GRADPRESS_ISA::combine,
    GRADPRESS_ISA::combine_adjoint,
    GRADPRESS_ISA::add_half,
    GRADPRESS_ISA::pool,
    GRADPRESS_ISA::pool_adjoint,
};

}  // namespace gradpress
