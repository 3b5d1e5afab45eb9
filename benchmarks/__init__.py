"""Compare gradpress with other JPEG encoders on a folder of pictures, side by side in one run.

``python -m benchmarks FOLDER`` runs it (from the repository's root; the peers are the extra
``[bench]``).  ``encoders`` says who is compared, ``metrics`` how a file is judged, ``curves`` how
rates at equal quality follow, ``rows`` what is kept (a TSV under ``results/``), ``cost`` and
``child`` what an encode takes as a process of its own, ``report`` what is printed;
``python -m benchmarks.report`` prints saved results again and ``python -m benchmarks.scaling``
measures the cost by size of picture.
"""
