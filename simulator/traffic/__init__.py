"""When connections are due, how long they live and what they carry; pure, seeded."""
