/* The label coding for drawn pictures: masks, graphics, rendered text. FORMAT.md, "Drawn labels", tells the
   rule. */
#ifndef KMC_DRAWN_H
#define KMC_DRAWN_H

#include "plane.h"

/* What a coder may make use of, as bits of a number. */
enum {
    DRAWN_LIST = 1,
    DRAWN_MATCH = 2,
    DRAWN_RICH = 4,
    DRAWN_OPTIONS = 8, /* how many sums of those above there are */
    DRAWN_FRAMES = 8,  /* only with matches */
    DRAWN_STILL = 16   /* only with frames */
};

enum DrawnResult {
    DRAWN_OK,
    DRAWN_LABEL,  /* a decoded label is not below k */
    DRAWN_LENGTH, /* there are more bytes than the labels need, or no coder makes them */
    DRAWN_MEMORY  /* no memory for the tables */
};

/* Codes the labels of a tile, width * height of them, each below k, and `colours` of four bytes for each
   label. Returns the number of bytes written to `out`; 0 if `room` does not do; SIZE_MAX if there is no
   memory. */
size_t kmc_drawn_encode(const uint16_t *labels, int width, int height, int k, const uint8_t *colours,
                        int options, uint8_t *out, size_t room);

/* Decodes what kmc_drawn_encode made with the same arguments into a plane, whatever the bytes are; a
   DrawnResult. */
int kmc_drawn_decode(const uint8_t *data, size_t length, const Plane *plane, int height, int k,
                     const uint8_t *colours, int options);

/* What frames of a tile that are coded one after another have in common: what was learnt, and the labels of
   the last one. */
typedef struct Drawn DrawnFrames;

/* Whether frames may have these options, DRAWN_FRAMES among them. */
int kmc_drawn_are_options_of_frames(int options);

/* Starts frames, the colours of which are copied; NULL if there is no memory. All have the same options, but
   for DRAWN_LIST and DRAWN_STILL. */
DrawnFrames *kmc_drawn_open_frames(int width, int height, int k, const uint8_t *colours, int options);

/* Has labels, width * height of them, each below k, as the frame before the first. */
void kmc_drawn_begin_after(DrawnFrames *frames, const uint16_t *labels);

/* Starts frames that are where these are; NULL if there is no memory. */
DrawnFrames *kmc_drawn_copy_frames(const DrawnFrames *frames);

void kmc_drawn_close_frames(DrawnFrames *frames);

/* How many bytes they take. */
size_t kmc_drawn_size_of_frames(const DrawnFrames *frames);

#define DRAWN_NO_MEMORY SIZE_MAX
#define DRAWN_NO_ROOM (SIZE_MAX - 1)

/* Codes the next frame; returns the number of bytes, which may be none, or one of these. After a frame that
   found no room, none does. */
size_t kmc_drawn_encode_frame(DrawnFrames *frames, const uint16_t *labels, int options, uint8_t *out,
                              size_t room);

/* Decodes the next frame into a plane that holds the one before, if there was one; a DrawnResult. After one
   that failed, all fail. */
int kmc_drawn_decode_frame(DrawnFrames *frames, const uint8_t *data, size_t length, const Plane *plane,
                           int options);

#endif
