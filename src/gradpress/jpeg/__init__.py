"""Everything JPEG: parameters, the differentiable decoder, the rate, the trellis, the file."""
