"""What sipua costs, each figure beside what it is compared with and measured in the same run.

``python -m benchmarks`` measures everything; ``python -m benchmarks.NAME`` one figure. Loopback only.
"""
