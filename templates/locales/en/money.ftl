given-to-others = To others
why-given-to-others = Gifts given in this room to another streamer (linked rooms). They are booked to the receiver and are in no figure of this room.
