"""What a frame costs on boards that are not at hand: instructions counted under emulation, and an estimate.

``guest``     counts, inside an emulated board
``rows``      what is counted, and the footage for it
``machine``   puts a Debian for arm64 into an emulated board and hears what the guest says
``estimate``  the boards, what is published of them, and milliseconds from instructions
``table``     the counts for people
"""
