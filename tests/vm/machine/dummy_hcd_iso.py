# SPDX-License-Identifier: GPL-2.0
"""Gives the kernel's dummy_hcd.c isochronous IN endpoints: a USB camera needs them, the stock driver refuses.

A part of the machine that scrim is tested in, never of scrim: what it writes is a part of a Linux kernel, and
so is licensed as that is, GPL-2.0, unlike everything else here.

One queued request of the gadget fills one packet, packets are paced by the clock, and where none is queued
the packet is empty. Requests are completed by the timer only: usb_f_uvc queues them with its own lock held.

    dummy_hcd_iso.py drivers/usb/gadget/udc/dummy_hcd.c
"""

import re
import sys
from pathlib import Path

TRANSFER = """
static void iso_transfer(struct dummy *dum, struct urbp *urbp, struct dummy_ep *ep, int *status)
{
	struct urb *urb = urbp->urb;
	s32 frame = dum->gadget.speed == USB_SPEED_FULL ? 1000 : 125;
	ktime_t now = ktime_get();
	s64 budget = div_s64(ktime_us_delta(now, ep->iso_last), frame);

	if (budget <= 0)
		return;
	if (budget > 256) {			/* first use, or far behind */
		budget = 8;
		ep->iso_last = now;
	} else {
		ep->iso_last = ktime_add_us(ep->iso_last, budget * frame);
	}
	while (budget-- > 0 && urbp->iso_next < urb->number_of_packets) {
		struct usb_iso_packet_descriptor *d = &urb->iso_frame_desc[urbp->iso_next++];
		struct dummy_request *req = list_first_entry_or_null(&ep->queue, struct dummy_request, queue);

		d->actual_length = 0;
		d->status = 0;
		if (!req)
			continue;
		d->actual_length = min_t(unsigned int, req->req.length, d->length);
		if (usb_urb_dir_in(urb))
			memcpy(urb->transfer_buffer + d->offset, req->req.buf, d->actual_length);
		else
			memcpy(req->req.buf, urb->transfer_buffer + d->offset, d->actual_length);
		if (req->req.length > d->length)
			d->status = -EOVERFLOW;
		urb->actual_length += d->actual_length;
		req->req.actual = d->actual_length;
		req->req.status = 0;
		list_del_init(&req->queue);
		spin_unlock(&dum->lock);
		usb_gadget_giveback_request(&ep->ep, &req->req);
		spin_lock(&dum->lock);
	}
	if (urbp->iso_next >= urb->number_of_packets) {
		urb->error_count = 0;
		*status = 0;
	}
}

/* transfer up to a frame's worth; caller must own lock */
static int transfer("""

EDITS = (
    (r"^/\*\n(\tEP_INFO\(\"ep\d+in-iso\".*?)^\*/\n", r"\1", 3),
    (r"(struct urbp \{\n)", r"\1\tint iso_next;\n", 1),
    (r"(struct dummy_ep \{\n)", r"\1\tktime_t iso_last;\n", 1),
    (r"(\turbp->miter_started = 0;\n)", r"\1\turbp->iso_next = 0;\n", 1),
    (r"(_req->length <= FIFO_SIZE)\)", r"\1 && !usb_endpoint_xfer_isoc(ep->desc))", 1),
    (r"(#define DUMMY_TIMER_INT_NSECS\s+)\d+.*?$", r"\g<1>1000000", 1),
    (
        r"limit = max\(limit, periodic_bytes\(dum, ep\)\);\n\t\t\tstatus = -EINVAL;\t/\* fail all xfers \*/",
        "iso_transfer(dum, urbp, ep, &status);",
        1,
    ),
    (r"\n/\* transfer up to a frame's worth; caller must own lock \*/\nstatic int transfer\(", TRANSFER, 1),
)
"""Pattern, replacement, and how often it must be found."""


def main() -> None:
    path = Path(sys.argv[1])
    text = path.read_text()
    for pattern, replacement, wanted in EDITS:
        text, found = re.subn(pattern, replacement, text, flags=re.DOTALL | re.MULTILINE)
        if found != wanted:
            sys.exit(f"{path}: found {found} times, not {wanted}: {pattern}")
    path.write_text(text)


if __name__ == "__main__":
    main()
