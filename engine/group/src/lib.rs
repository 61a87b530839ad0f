//! Join the parts to time, disk, CPU and network; supervise them.
