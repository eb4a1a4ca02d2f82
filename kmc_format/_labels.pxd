# What the Python source cannot say: inline functions are to be inlined always. Left to a compiler, the
# size of the code tips the scales, and decoding takes up to one and a half times as long.
cdef extern from *:
    """
    #if defined(__GNUC__)
    #undef CYTHON_INLINE
    #define CYTHON_INLINE inline __attribute__((always_inline))
    #endif
    """
