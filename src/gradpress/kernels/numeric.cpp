// The numeric kernels, compiled once per instruction set (see kernels.h).
#include "kernels.h"

namespace gradpress {
namespace GRADPRESS_ISA {

#include "dct.h"
#include "chroma.h"
#include "trellis.h"

}  // namespace GRADPRESS_ISA

#define GRADPRESS_TEXT_OF(x) #x
#define GRADPRESS_TEXT(x) GRADPRESS_TEXT_OF(x)
#define GRADPRESS_JOIN_OF(a, b) a##b
#define GRADPRESS_JOIN(a, b) GRADPRESS_JOIN_OF(a, b)

const Numeric GRADPRESS_JOIN(GRADPRESS_ISA, _kernels) = {
    GRADPRESS_TEXT(GRADPRESS_ISA),
    GRADPRESS_ISA::forward_dct,
    GRADPRESS_ISA::inverse_dct,
    GRADPRESS_ISA::dequantise,
    GRADPRESS_ISA::inverse_dct_exact,
    GRADPRESS_ISA::upsample,
    GRADPRESS_ISA::upsample_adjoint,
    GRADPRESS_ISA::upsample_exact,
    GRADPRESS_ISA::ycc_to_rgb,
    GRADPRESS_ISA::ycc_to_rgb_adjoint,
    GRADPRESS_ISA::ycc_to_rgb_exact,
    GRADPRESS_ISA::squared_error,
    GRADPRESS_ISA::absolute_error,
    GRADPRESS_ISA::squared_error_bytes,
    GRADPRESS_ISA::trellis_ac,
};

}  // namespace gradpress
